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

variable "table_arn" {
  description = "ARN of the table."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the bucket."
  type        = string
}

variable "figures_arn" {
  description = "ARN of the bucket of figures, if there is one."
  type        = string
  default     = ""
}

variable "data_key" {
  description = "ARN of the key of the bucket, the topic and the secrets."
  type        = string
}

variable "sealing_key_arn" {
  description = "ARN of the key that seals."
  type        = string
}

variable "secrets" {
  description = "ARNs of the secrets that settings refer to."
  type        = list(string)
}

variable "work_queue_arn" {
  description = "ARN of that queue."
  type        = string
}

variable "notice_queue_arn" {
  description = "ARN of that queue."
  type        = string
}

variable "events_arn" {
  description = "ARN of the topic of events."
  type        = string
}

variable "mail_from" {
  description = "Address that mails come from."
  type        = string
}

variable "mails_arn" {
  description = "ARN of the configuration set of mails."
  type        = string
}

variable "bedrock_models" {
  description = "ARNs of models and profiles of Bedrock that may be asked; none unless named."
  type        = list(string)
  default     = []
}

variable "sage_maker_endpoints" {
  description = "ARNs of endpoints of SageMaker that may be asked; none unless named."
  type        = list(string)
  default     = []
}

variable "rekognition" {
  description = "Whether Rekognition may be asked for labels."
  type        = bool
  default     = false
}

variable "kafka_cluster" {
  description = "ARN of an MSK cluster, if there is one."
  type        = string
  default     = ""
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
    TableArn           = trimsuffix(trimprefix(jsonencode(var.table_arn), "\""), "\"")
    BucketArn          = trimsuffix(trimprefix(jsonencode(var.bucket_arn), "\""), "\"")
    FiguresArn         = trimsuffix(trimprefix(jsonencode(var.figures_arn), "\""), "\"")
    DataKey            = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    SealingKeyArn      = trimsuffix(trimprefix(jsonencode(var.sealing_key_arn), "\""), "\"")
    Secrets            = var.secrets
    WorkQueueArn       = trimsuffix(trimprefix(jsonencode(var.work_queue_arn), "\""), "\"")
    NoticeQueueArn     = trimsuffix(trimprefix(jsonencode(var.notice_queue_arn), "\""), "\"")
    EventsArn          = trimsuffix(trimprefix(jsonencode(var.events_arn), "\""), "\"")
    MailFrom           = trimsuffix(trimprefix(jsonencode(var.mail_from), "\""), "\"")
    MailsArn           = trimsuffix(trimprefix(jsonencode(var.mails_arn), "\""), "\"")
    BedrockModels      = var.bedrock_models
    SageMakerEndpoints = var.sage_maker_endpoints
    Rekognition        = var.rekognition ? "yes" : "no"
    KafkaCluster       = trimsuffix(trimprefix(jsonencode(var.kafka_cluster), "\""), "\"")
    StackName          = var.name
    KafkaCluster_part1 = try(split("/", var.kafka_cluster)[1], "")
    MailFrom_part1     = try(split("@", var.mail_from)[1], "")
    HasKafka           = !(var.kafka_cluster == "")
    HasFigures         = !(var.figures_arn == "")
    HasBedrock         = !(join("", var.bedrock_models) == "")
    HasSageMaker       = !(join("", var.sage_maker_endpoints) == "")
    HasRekognition     = (var.rekognition ? "yes" : "no") == "yes"
    HasModels          = ((!(join("", var.bedrock_models) == "")) || (!(join("", var.sage_maker_endpoints) == "")) || ((var.rekognition ? "yes" : "no") == "yes"))
  }
}
