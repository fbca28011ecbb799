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
  description = "Name of the cluster."
  type        = string
  default     = "mill"
}

variable "vpc" {
  description = "Where it is."
  type        = string
}

variable "subnets" {
  description = "Two private subnets, each in a zone of its own; each has a broker."
  type        = list(string)
}

variable "clients" {
  description = "Security group of who reads and writes."
  type        = string
}

variable "instance" {
  description = "Kind of the brokers."
  type        = string
  default     = "kafka.t3.small"
}

variable "gigabytes" {
  description = "Disk of each."
  type        = number
  default     = 100
}

variable "log_days" {
  description = "How long the brokers' logs are kept."
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
    AccountId = data.aws_caller_identity.here.account_id
    Partition = data.aws_partition.here.partition
    Region    = data.aws_region.here.name
    URLSuffix = data.aws_partition.here.dns_suffix
    Name      = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Vpc       = var.vpc
    Subnets   = var.subnets
    Clients   = var.clients
    Instance  = trimsuffix(trimprefix(jsonencode(var.instance), "\""), "\"")
    Gigabytes = var.gigabytes
    LogDays   = var.log_days
    StackName = var.name
  }
}
