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
  description = "Name of the configuration set."
  type        = string
}

variable "mail_from" {
  description = "Address that mails come from."
  type        = string
}

variable "identity" {
  description = "Whether to make the identity of its domain, whose DKIM records you then write into your DNS."
  type        = bool
  default     = false
}

variable "operators" {
  description = "ARN of the topic that is told of mails that were refused or complained about."
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
    AccountId      = data.aws_caller_identity.here.account_id
    Partition      = data.aws_partition.here.partition
    Region         = data.aws_region.here.name
    URLSuffix      = data.aws_partition.here.dns_suffix
    Name           = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    MailFrom       = trimsuffix(trimprefix(jsonencode(var.mail_from), "\""), "\"")
    Identity       = var.identity ? "yes" : "no"
    Operators      = trimsuffix(trimprefix(jsonencode(var.operators), "\""), "\"")
    StackName      = var.name
    MailFrom_part1 = try(split("@", var.mail_from)[1], "")
    MakesIdentity  = (var.identity ? "yes" : "no") == "yes"
  }
}
