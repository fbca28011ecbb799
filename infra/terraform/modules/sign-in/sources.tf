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

variable "public_url" {
  description = "Address that users see."
  type        = string
}

variable "prefix" {
  description = "What the address of the sign-in page begins with; no other account of the region may have it."
  type        = string

  validation {
    condition     = can(regex("^(?:[a-z0-9][a-z0-9-]{0,62})$", var.prefix))
    error_message = "It must match [a-z0-9][a-z0-9-]{0,62}."
  }
}

variable "data_key" {
  description = "ARN of the key that the secret is encrypted by."
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
    AccountId = data.aws_caller_identity.here.account_id
    Partition = data.aws_partition.here.partition
    Region    = data.aws_region.here.name
    URLSuffix = data.aws_partition.here.dns_suffix
    Name      = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    PublicUrl = trimsuffix(trimprefix(jsonencode(var.public_url), "\""), "\"")
    Prefix    = trimsuffix(trimprefix(jsonencode(var.prefix), "\""), "\"")
    DataKey   = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    StackName = var.name
  }
}
