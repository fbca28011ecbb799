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

variable "data_key" {
  description = "ARN of the key that logs are encrypted by."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

variable "second_gateway" {
  description = "Whether the second zone has a NAT gateway of its own, so that it goes on without the first."
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
    AccountId     = data.aws_caller_identity.here.account_id
    Partition     = data.aws_partition.here.partition
    Region        = data.aws_region.here.name
    URLSuffix     = data.aws_partition.here.dns_suffix
    Name          = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    DataKey       = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    LogDays       = var.log_days
    SecondGateway = var.second_gateway ? "yes" : "no"
    StackName     = var.name
    HasSecond     = (var.second_gateway ? "yes" : "no") == "yes"
  }
}
