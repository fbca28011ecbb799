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

variable "whole" {
  description = "Whether the API and the ingest are services, too; else there are workers beside functions."
  type        = bool
  default     = true
}

variable "image" {
  description = "Image of deploy/docker/Dockerfile, named by its digest."
  type        = string
}

variable "repository" {
  description = "ARN of its repository in ECR."
  type        = string
}

variable "processor" {
  description = "What the image was built for."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.processor)
    error_message = "It must be one of ARM64, X86_64."
  }
}

variable "certificate" {
  description = "ARN of the certificate of the address in ACM, for the load balancer."
  type        = string
  default     = ""
}

variable "vpc" {
  description = "The network."
  type        = string
}

variable "cidr" {
  description = "Its addresses."
  type        = string
}

variable "public" {
  description = "Subnets of the load balancer."
  type        = list(string)
}

variable "private" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "nobody" {
  description = "Security group of who is asked by nobody."
  type        = string
}

variable "kafka_security_group" {
  description = "Security group that the brokers let in."
  type        = string
  default     = ""
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
  description = "Which queue rings."
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

variable "public_url" {
  description = "Address that users see."
  type        = string
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
  description = "ARN of the policy of what every service needs."
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

variable "data_key" {
  description = "ARN of the key that logs are encrypted by."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

variable "servers" {
  description = "Tasks of the API."
  type        = number
  default     = 2
}

variable "least_workers" {
  description = "Workers that are there when there is nothing to do."
  type        = number
  default     = 1
}

variable "most_workers" {
  description = "Workers that are there at most."
  type        = number
  default     = 10
}

variable "units_per_worker" {
  description = "Units, ready or running, for which there is one worker."
  type        = number
  default     = 8
}

variable "worker_cpu" {
  description = "Of a worker; 1024 are one processor."
  type        = number
  default     = 4096
}

variable "worker_memory" {
  description = "Of a worker, in MB."
  type        = number
  default     = 8192
}

variable "scratch_gigabytes" {
  description = "Disk of a worker."
  type        = number
  default     = 100

  validation {
    condition     = var.scratch_gigabytes >= 21
    error_message = "It must be >= 21."
  }

  validation {
    condition     = var.scratch_gigabytes <= 200
    error_message = "It must be <= 200."
  }
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
    AccountId          = data.aws_caller_identity.here.account_id
    Partition          = data.aws_partition.here.partition
    Region             = data.aws_region.here.name
    URLSuffix          = data.aws_partition.here.dns_suffix
    Name               = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Whole              = var.whole ? "yes" : "no"
    Image              = trimsuffix(trimprefix(jsonencode(var.image), "\""), "\"")
    Repository         = trimsuffix(trimprefix(jsonencode(var.repository), "\""), "\"")
    Processor          = trimsuffix(trimprefix(jsonencode(var.processor), "\""), "\"")
    Certificate        = trimsuffix(trimprefix(jsonencode(var.certificate), "\""), "\"")
    Vpc                = trimsuffix(trimprefix(jsonencode(var.vpc), "\""), "\"")
    Cidr               = trimsuffix(trimprefix(jsonencode(var.cidr), "\""), "\"")
    Public             = var.public
    Private            = var.private
    Nobody             = trimsuffix(trimprefix(jsonencode(var.nobody), "\""), "\"")
    KafkaSecurityGroup = trimsuffix(trimprefix(jsonencode(var.kafka_security_group), "\""), "\"")
    StoreUrl           = trimsuffix(trimprefix(jsonencode(var.store_url), "\""), "\"")
    BlobsUrl           = trimsuffix(trimprefix(jsonencode(var.blobs_url), "\""), "\"")
    BrokerUrl          = trimsuffix(trimprefix(jsonencode(var.broker_url), "\""), "\"")
    SealingUrl         = trimsuffix(trimprefix(jsonencode(var.sealing_url), "\""), "\"")
    LinkSecret         = trimsuffix(trimprefix(jsonencode(var.link_secret), "\""), "\"")
    FormerSecret       = trimsuffix(trimprefix(jsonencode(var.former_secret), "\""), "\"")
    MailUrl            = trimsuffix(trimprefix(jsonencode(var.mail_url), "\""), "\"")
    EventsUrl          = trimsuffix(trimprefix(jsonencode(var.events_url), "\""), "\"")
    IdentityUrl        = trimsuffix(trimprefix(jsonencode(var.identity_url), "\""), "\"")
    AnalyticsUrl       = trimsuffix(trimprefix(jsonencode(var.analytics_url), "\""), "\"")
    StreamUrl          = trimsuffix(trimprefix(jsonencode(var.stream_url), "\""), "\"")
    StreamTopics       = trimsuffix(trimprefix(jsonencode(var.stream_topics), "\""), "\"")
    KafkaCluster       = trimsuffix(trimprefix(jsonencode(var.kafka_cluster), "\""), "\"")
    PublicUrl          = trimsuffix(trimprefix(jsonencode(var.public_url), "\""), "\"")
    Registration       = trimsuffix(trimprefix(jsonencode(var.registration), "\""), "\"")
    CaptionChain       = trimsuffix(trimprefix(jsonencode(var.caption_chain), "\""), "\"")
    LabelChain         = trimsuffix(trimprefix(jsonencode(var.label_chain), "\""), "\"")
    PromptChain        = trimsuffix(trimprefix(jsonencode(var.prompt_chain), "\""), "\"")
    Budget             = trimsuffix(trimprefix(jsonencode(var.budget), "\""), "\"")
    UserBudget         = trimsuffix(trimprefix(jsonencode(var.user_budget), "\""), "\"")
    State              = trimsuffix(trimprefix(jsonencode(var.state), "\""), "\"")
    Files              = trimsuffix(trimprefix(jsonencode(var.files), "\""), "\"")
    Figures            = trimsuffix(trimprefix(jsonencode(var.figures), "\""), "\"")
    Posts              = trimsuffix(trimprefix(jsonencode(var.posts), "\""), "\"")
    Models             = trimsuffix(trimprefix(jsonencode(var.models), "\""), "\"")
    Brokers            = trimsuffix(trimprefix(jsonencode(var.brokers), "\""), "\"")
    WorkQueueArn       = trimsuffix(trimprefix(jsonencode(var.work_queue_arn), "\""), "\"")
    DataKey            = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    LogDays            = var.log_days
    Servers            = var.servers
    LeastWorkers       = var.least_workers
    MostWorkers        = var.most_workers
    UnitsPerWorker     = var.units_per_worker
    WorkerCpu          = var.worker_cpu
    WorkerMemory       = var.worker_memory
    ScratchGigabytes   = var.scratch_gigabytes
    StackName          = var.name
    KafkaCluster_part1 = try(split("/", var.kafka_cluster)[1], "")
    IsWhole            = (var.whole ? "yes" : "no") == "yes"
    HasKafka           = !(var.kafka_cluster == "")
    HasFigures         = !(var.figures == "")
    HasModels          = !(var.models == "")
    Ingests            = (((var.whole ? "yes" : "no") == "yes") && (!(var.kafka_cluster == "")))
    HasKafkaGroup      = !(var.kafka_security_group == "")
  }
}

resource "terraform_data" "rules" {
  lifecycle {
    precondition {
      condition     = !((var.whole ? "yes" : "no") == "yes") || !(var.certificate == "")
      error_message = "The API as a service needs a Certificate."
    }
  }
}
