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
  description = "Name of the database and of the workgroup."
  type        = string
}

variable "log_bucket" {
  description = "Bucket to which accesses are logged."
  type        = string
}

variable "scan_bytes" {
  description = "How much one query may read; it is paid by that."
  type        = number
  default     = 10737418240

  validation {
    condition     = var.scan_bytes >= 10000000
    error_message = "It must be >= 10000000."
  }
}

variable "endpoint" {
  description = "Another server than AWS's, for an emulator."
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
    AccountId = data.aws_caller_identity.here.account_id
    Partition = data.aws_partition.here.partition
    Region    = data.aws_region.here.name
    URLSuffix = data.aws_partition.here.dns_suffix
    Name      = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    LogBucket = trimsuffix(trimprefix(jsonencode(var.log_bucket), "\""), "\"")
    ScanBytes = var.scan_bytes
    Endpoint  = trimsuffix(trimprefix(jsonencode(var.endpoint), "\""), "\"")
    StackName = var.name
    IsAws     = var.endpoint == ""
  }
}
