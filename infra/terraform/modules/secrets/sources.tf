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
  description = "What the secret's name begins with."
  type        = string
}

variable "data_key" {
  description = "ARN of the key that the secret and logs are encrypted by."
  type        = string
}

variable "code_bucket" {
  description = "Bucket with the API's zip."
  type        = string
}

variable "api_code" {
  description = "Key of that zip."
  type        = string
}

variable "rotation_days" {
  description = "After how many days the secret changes."
  type        = number
  default     = 90

  validation {
    condition     = var.rotation_days >= 1
    error_message = "It must be >= 1."
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
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
    AccountId    = data.aws_caller_identity.here.account_id
    Partition    = data.aws_partition.here.partition
    Region       = data.aws_region.here.name
    URLSuffix    = data.aws_partition.here.dns_suffix
    Name         = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    DataKey      = trimsuffix(trimprefix(jsonencode(var.data_key), "\""), "\"")
    CodeBucket   = trimsuffix(trimprefix(jsonencode(var.code_bucket), "\""), "\"")
    ApiCode      = trimsuffix(trimprefix(jsonencode(var.api_code), "\""), "\"")
    RotationDays = var.rotation_days
    LogDays      = var.log_days
    Endpoint     = trimsuffix(trimprefix(jsonencode(var.endpoint), "\""), "\"")
    StackName    = var.name
    HasEndpoint  = !(var.endpoint == "")
  }
}
