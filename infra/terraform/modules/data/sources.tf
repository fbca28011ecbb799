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

variable "origin" {
  description = "Origin of the pages whose scripts send files to the bucket, https://mill.example.org; none sends them all through the API."
  type        = string
  default     = ""
}

variable "cold_after_days" {
  description = "After how many days originals go to cold storage; 0 leaves them where they are."
  type        = number
  default     = 90

  validation {
    condition     = var.cold_after_days >= 0
    error_message = "It must be >= 0."
  }
}

variable "deleted_days" {
  description = "For how many days the bucket can bring back what was deleted or written anew."
  type        = number
  default     = 1

  validation {
    condition     = var.deleted_days >= 1
    error_message = "It must be >= 1."
  }

  validation {
    condition     = var.deleted_days <= 35
    error_message = "It must be <= 35."
  }
}

variable "log_days" {
  description = "How long logs of accesses are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.log_days >= 1
    error_message = "It must be >= 1."
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
    AccountId     = data.aws_caller_identity.here.account_id
    Partition     = data.aws_partition.here.partition
    Region        = data.aws_region.here.name
    URLSuffix     = data.aws_partition.here.dns_suffix
    Name          = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Origin        = trimsuffix(trimprefix(jsonencode(var.origin), "\""), "\"")
    ColdAfterDays = var.cold_after_days
    DeletedDays   = var.deleted_days
    LogDays       = var.log_days
    Endpoint      = trimsuffix(trimprefix(jsonencode(var.endpoint), "\""), "\"")
    StackName     = var.name
    IsAws         = var.endpoint == ""
    HasOrigin     = !(var.origin == "")
    GetsCold      = !(tostring(var.cold_after_days) == "0")
  }
}
