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
  default     = "mill"
}

variable "origin" {
  description = "Name of the host behind - that of the HTTP API, or of the load balancer's address with the certificate."
  type        = string
}

variable "forward_host" {
  description = "Whether the host that was asked for is passed on - yes for the load balancer, no for the HTTP API, which knows its own name only."
  type        = bool
  default     = false
}

variable "address" {
  description = "Name that users see, mill.example.org."
  type        = string
}

variable "certificate" {
  description = "ARN of its certificate in ACM, in us-east-1."
  type        = string
}

variable "requests" {
  description = "Requests of one address in five minutes; more are refused. A file takes eight, from its upload to its result."
  type        = number
  default     = 50000

  validation {
    condition     = var.requests >= 100
    error_message = "It must be >= 100."
  }
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
    AccountId    = data.aws_caller_identity.here.account_id
    Partition    = data.aws_partition.here.partition
    Region       = data.aws_region.here.name
    URLSuffix    = data.aws_partition.here.dns_suffix
    Name         = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Origin       = trimsuffix(trimprefix(jsonencode(var.origin), "\""), "\"")
    ForwardHost  = var.forward_host ? "yes" : "no"
    Address      = trimsuffix(trimprefix(jsonencode(var.address), "\""), "\"")
    Certificate  = trimsuffix(trimprefix(jsonencode(var.certificate), "\""), "\"")
    Requests     = var.requests
    LogDays      = var.log_days
    StackName    = var.name
    ForwardsHost = (var.forward_host ? "yes" : "no") == "yes"
  }
}
