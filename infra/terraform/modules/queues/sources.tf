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

variable "work_seconds" {
  description = "For how long a call of the worker hides a message, six times its time."
  type        = number
  default     = 5400
}

variable "notice_seconds" {
  description = "For how long one of the notifier does."
  type        = number
  default     = 1800
}

variable "data_key" {
  description = "ARN of the key that topics are encrypted by."
  type        = string
}

variable "operators_mail" {
  description = "Address that is told when an alarm comes and goes."
  type        = string
  default     = ""
}

variable "stream" {
  description = "Whether Lambda takes files from Kafka."
  type        = bool
  default     = false
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
    AccountId        = data.aws_caller_identity.here.account_id
    Partition        = data.aws_partition.here.partition
    Region           = data.aws_region.here.name
    URLSuffix        = data.aws_partition.here.dns_suffix
    Name             = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    WorkSeconds      = var.work_seconds
    NoticeSeconds    = var.notice_seconds
    DataKey          = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    OperatorsMail    = trimsuffix(trimprefix(jsonencode(var.operators_mail), "\""), "\"")
    Stream           = var.stream ? "yes" : "no"
    StackName        = var.name
    HasStream        = (var.stream ? "yes" : "no") == "yes"
    HasOperatorsMail = !(var.operators_mail == "")
  }
}
