# Written by scripts/terraform_sources.py from the template of this name: change that.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "name" {
  description = "What names begin with."
  type        = string
}

variable "code_bucket" {
  description = "Bucket with the API's zip, as scripts/function_zip.py makes it."
  type        = string
}

variable "api_code" {
  description = "Key of that zip."
  type        = string
}

variable "worker_image" {
  description = "Image of the worker in ECR, made from infra/aws/worker.Dockerfile."
  type        = string
  default     = ""
}

variable "worker_code" {
  description = "Key of a zip of the worker, where there is no image (emulators)."
  type        = string
  default     = "none"
}

variable "worker_concurrency" {
  description = "Calls of the worker at a time."
  type        = number
  default     = 10
}

variable "store_url" {
  description = "Where records are."
  type        = string
}

variable "blobs_url" {
  description = "Where bytes are."
  type        = string
}

variable "broker_url" {
  description = "Which queues call functions."
  type        = string
}

variable "sealing_url" {
  description = "The key that seals."
  type        = string
}

variable "link_secret" {
  description = "Reference to the secret that signs links."
  type        = string
}

variable "former_secret" {
  description = "Reference to the one that was in force before."
  type        = string
}

variable "mail_url" {
  description = "How mails are sent."
  type        = string
}

variable "events_url" {
  description = "Where events go."
  type        = string
}

variable "identity_url" {
  description = "Who signs people in."
  type        = string
}

variable "analytics_url" {
  description = "Where figures are exported to."
  type        = string
}

variable "public_url" {
  description = "Address that users see; unless told, that of the HTTP API."
  type        = string
  default     = ""
}

variable "registration" {
  description = "Whether anybody who reaches the page may register."
  type        = string
  default     = "false"
}

variable "caption_chain" {
  description = "Who writes captions, first to last."
  type        = string
  default     = ""
}

variable "label_chain" {
  description = "Who labels images, likewise."
  type        = string
  default     = ""
}

variable "prompt_chain" {
  description = "Who answers prompts, likewise."
  type        = string
  default     = ""
}

variable "budget" {
  description = "The most that all model calls of a month may cost, in US dollars; none is no limit."
  type        = string
  default     = ""
}

variable "user_budget" {
  description = "The most that those of one user may cost."
  type        = string
  default     = ""
}

variable "state" {
  description = "ARN of the policy of what every function needs."
  type        = string
}

variable "files" {
  description = "ARN of the policy of who changes files."
  type        = string
}

variable "figures" {
  description = "ARN of the policy of who exports figures, if they are exported."
  type        = string
  default     = ""
}

variable "posts" {
  description = "ARN of the policy of who sends mails and events."
  type        = string
}

variable "models" {
  description = "ARN of the policy of who asks models of AWS, if some are named."
  type        = string
  default     = ""
}

variable "brokers" {
  description = "ARN of the policy of who writes to the stream."
  type        = string
}

variable "work_queue_arn" {
  description = "ARN of that queue."
  type        = string
}

variable "notice_queue_arn" {
  description = "ARN of that queue."
  type        = string
}

variable "left_out_arn" {
  description = "ARN of the queue that is told of what Lambda does not hand over."
  type        = string
}

variable "stream_url" {
  description = "The brokers, and how to sign in to them."
  type        = string
  default     = "none:"
}

variable "stream_topics" {
  description = "Whose files a topic brings."
  type        = string
  default     = ""
}

variable "kafka_cluster" {
  description = "ARN of an MSK cluster to take files from, if any."
  type        = string
  default     = ""
}

variable "kafka_topics" {
  description = "Topics that are taken."
  type        = list(string)
  default     = ["images"]
}

variable "kafka_subnets" {
  description = "Subnets from which ingest and notifier reach the brokers, and all else."
  type        = list(string)
  default     = []
}

variable "kafka_security_groups" {
  description = "Their security groups there."
  type        = list(string)
  default     = []
}

variable "data_key" {
  description = "ARN of the key that logs are encrypted by."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

data "aws_region" "here" {}
data "aws_partition" "here" {}
data "aws_caller_identity" "here" {}

locals {
  source = jsondecode(file("${path.module}/sources.json"))

  # a text that is nothing but a list becomes the list
  text = {
    for name, one in local.source : name => replace(
      replace(jsonencode(one), "\"@{", "$${jsonencode("), "}@\"", ")}"
    )
  }
  here = { for name, one in local.source : name => one if try(local.given[one.Condition], true) }

  given = {
    AccountId           = data.aws_caller_identity.here.account_id
    Partition           = data.aws_partition.here.partition
    Region              = data.aws_region.here.name
    URLSuffix           = data.aws_partition.here.dns_suffix
    Name                = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    CodeBucket          = trimsuffix(trimprefix(jsonencode(var.code_bucket), "\""), "\"")
    ApiCode             = trimsuffix(trimprefix(jsonencode(var.api_code), "\""), "\"")
    WorkerImage         = trimsuffix(trimprefix(jsonencode(var.worker_image), "\""), "\"")
    WorkerCode          = trimsuffix(trimprefix(jsonencode(var.worker_code), "\""), "\"")
    WorkerConcurrency   = var.worker_concurrency
    StoreUrl            = trimsuffix(trimprefix(jsonencode(var.store_url), "\""), "\"")
    BlobsUrl            = trimsuffix(trimprefix(jsonencode(var.blobs_url), "\""), "\"")
    BrokerUrl           = trimsuffix(trimprefix(jsonencode(var.broker_url), "\""), "\"")
    SealingUrl          = trimsuffix(trimprefix(jsonencode(var.sealing_url), "\""), "\"")
    LinkSecret          = trimsuffix(trimprefix(jsonencode(var.link_secret), "\""), "\"")
    FormerSecret        = trimsuffix(trimprefix(jsonencode(var.former_secret), "\""), "\"")
    MailUrl             = trimsuffix(trimprefix(jsonencode(var.mail_url), "\""), "\"")
    EventsUrl           = trimsuffix(trimprefix(jsonencode(var.events_url), "\""), "\"")
    IdentityUrl         = trimsuffix(trimprefix(jsonencode(var.identity_url), "\""), "\"")
    AnalyticsUrl        = trimsuffix(trimprefix(jsonencode(var.analytics_url), "\""), "\"")
    PublicUrl           = trimsuffix(trimprefix(jsonencode(var.public_url), "\""), "\"")
    Registration        = trimsuffix(trimprefix(jsonencode(var.registration), "\""), "\"")
    CaptionChain        = trimsuffix(trimprefix(jsonencode(var.caption_chain), "\""), "\"")
    LabelChain          = trimsuffix(trimprefix(jsonencode(var.label_chain), "\""), "\"")
    PromptChain         = trimsuffix(trimprefix(jsonencode(var.prompt_chain), "\""), "\"")
    Budget              = trimsuffix(trimprefix(jsonencode(var.budget), "\""), "\"")
    UserBudget          = trimsuffix(trimprefix(jsonencode(var.user_budget), "\""), "\"")
    State               = trimsuffix(trimprefix(jsonencode(var.state), "\""), "\"")
    Files               = trimsuffix(trimprefix(jsonencode(var.files), "\""), "\"")
    Figures             = trimsuffix(trimprefix(jsonencode(var.figures), "\""), "\"")
    Posts               = trimsuffix(trimprefix(jsonencode(var.posts), "\""), "\"")
    Models              = trimsuffix(trimprefix(jsonencode(var.models), "\""), "\"")
    Brokers             = trimsuffix(trimprefix(jsonencode(var.brokers), "\""), "\"")
    WorkQueueArn        = trimsuffix(trimprefix(jsonencode(var.work_queue_arn), "\""), "\"")
    NoticeQueueArn      = trimsuffix(trimprefix(jsonencode(var.notice_queue_arn), "\""), "\"")
    LeftOutArn          = trimsuffix(trimprefix(jsonencode(var.left_out_arn), "\""), "\"")
    StreamUrl           = trimsuffix(trimprefix(jsonencode(var.stream_url), "\""), "\"")
    StreamTopics        = trimsuffix(trimprefix(jsonencode(var.stream_topics), "\""), "\"")
    KafkaCluster        = trimsuffix(trimprefix(jsonencode(var.kafka_cluster), "\""), "\"")
    KafkaTopics         = var.kafka_topics
    KafkaSubnets        = var.kafka_subnets
    KafkaSecurityGroups = var.kafka_security_groups
    DataKey             = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    LogDays             = var.log_days
    StackName           = var.name
    KafkaCluster_part1  = try(split("/", var.kafka_cluster)[1], "")
    HasImage            = !(var.worker_image == "")
    HasPublicUrl        = !(var.public_url == "")
    HasKafka            = !(var.kafka_cluster == "")
    HasFigures          = !(var.figures == "")
    HasModels           = !(var.models == "")
    HasSubnets          = !(join("", var.kafka_subnets) == "")
  }
}
