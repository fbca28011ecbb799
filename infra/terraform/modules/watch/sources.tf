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

variable "operators" {
  description = "ARN of the topic that is told."
  type        = string
}

variable "functions" {
  description = "Whether there are functions."
  type        = bool
  default     = false
}

variable "api" {
  description = "Id of the HTTP API, if there is one."
  type        = string
  default     = ""
}

variable "cluster" {
  description = "Name of the ECS cluster of workers, if there is one."
  type        = string
  default     = ""
}

variable "stays" {
  description = "Whether there are workers when there is nothing to do."
  type        = bool
  default     = true
}

variable "table" {
  description = "Name of the table."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket, of whose objects the trail tells."
  type        = string
}

variable "work_queue" {
  description = "Name of that queue."
  type        = string
}

variable "work_dead_letters" {
  description = "Name of the queue of what was taken again and again."
  type        = string
}

variable "notice_dead_letters" {
  description = "Name of that of notices."
  type        = string
}

variable "left_out" {
  description = "Name of the queue that is told of what Lambda does not hand over, if there is one."
  type        = string
  default     = ""
}

variable "certificate" {
  description = "ARN of the certificate in ACM, if there is one."
  type        = string
  default     = ""
}

variable "trail" {
  description = "Whether to keep a trail of what is asked of AWS; no where the account has one."
  type        = bool
  default     = true
}

variable "guard" {
  description = "Whether to turn on GuardDuty; no where the account has it, for there is one of a region."
  type        = bool
  default     = true
}

variable "log_bucket" {
  description = "Where the trail is kept."
  type        = string
}

variable "data_key" {
  description = "ARN of the key that it is encrypted by."
  type        = string
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
    AccountId         = data.aws_caller_identity.here.account_id
    Partition         = data.aws_partition.here.partition
    Region            = data.aws_region.here.name
    URLSuffix         = data.aws_partition.here.dns_suffix
    Name              = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Operators         = trimsuffix(trimprefix(jsonencode(var.operators), "\""), "\"")
    Functions         = var.functions ? "yes" : "no"
    Api               = trimsuffix(trimprefix(jsonencode(var.api), "\""), "\"")
    Cluster           = trimsuffix(trimprefix(jsonencode(var.cluster), "\""), "\"")
    Stays             = var.stays ? "yes" : "no"
    Table             = trimsuffix(trimprefix(jsonencode(var.table), "\""), "\"")
    Bucket            = trimsuffix(trimprefix(jsonencode(var.bucket), "\""), "\"")
    WorkQueue         = trimsuffix(trimprefix(jsonencode(var.work_queue), "\""), "\"")
    WorkDeadLetters   = trimsuffix(trimprefix(jsonencode(var.work_dead_letters), "\""), "\"")
    NoticeDeadLetters = trimsuffix(trimprefix(jsonencode(var.notice_dead_letters), "\""), "\"")
    LeftOut           = trimsuffix(trimprefix(jsonencode(var.left_out), "\""), "\"")
    Certificate       = trimsuffix(trimprefix(jsonencode(var.certificate), "\""), "\"")
    Trail             = var.trail ? "yes" : "no"
    Guard             = var.guard ? "yes" : "no"
    LogBucket         = trimsuffix(trimprefix(jsonencode(var.log_bucket), "\""), "\"")
    DataKey           = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    StackName         = var.name
    HasTrail          = (var.trail ? "yes" : "no") == "yes"
    HasGuard          = (var.guard ? "yes" : "no") == "yes"
  }
}
