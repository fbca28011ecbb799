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
  description = "What the names of the alarms begin with."
  type        = string
  default     = "mediamill"
}

variable "installation" {
  description = "What MEDIAMILL_METRICS_INSTALLATION says, where the account has several in this region."
  type        = string
  default     = ""
}

variable "topic" {
  description = "ARN of the SNS topic that is told when an alarm comes and goes; none tells nobody."
  type        = string
  default     = ""
}

variable "api" {
  description = "Id of the HTTP API (HttpApi of infra/aws/template.yaml), if there is one."
  type        = string
  default     = ""
}

variable "functions" {
  description = "Whether to watch errors and throttles of the account's functions."
  type        = bool
  default     = false
}

variable "table" {
  description = "Name of the table, if the store is DynamoDB."
  type        = string
  default     = ""
}

variable "dead_letters" {
  description = "Name of the queue of dead letters, if there is one."
  type        = string
  default     = ""
}

variable "notice_dead_letters" {
  description = "Name of that of notices, if there is one."
  type        = string
  default     = ""
}

variable "left_out" {
  description = "Name of the queue that is told of what Lambda does not hand over of a stream, if there is one."
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

variable "service" {
  description = "Name of their service in it."
  type        = string
  default     = "workers"
}

variable "database" {
  description = "Identifier of the RDS instance, if the store is PostgreSQL there."
  type        = string
  default     = ""
}

variable "certificate" {
  description = "ARN of the certificate in ACM, if there is one."
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
    AccountId            = data.aws_caller_identity.here.account_id
    Partition            = data.aws_partition.here.partition
    Region               = data.aws_region.here.name
    URLSuffix            = data.aws_partition.here.dns_suffix
    Name                 = trimsuffix(trimprefix(jsonencode(var.name), "\""), "\"")
    Installation         = trimsuffix(trimprefix(jsonencode(var.installation), "\""), "\"")
    Topic                = trimsuffix(trimprefix(jsonencode(var.topic), "\""), "\"")
    Api                  = trimsuffix(trimprefix(jsonencode(var.api), "\""), "\"")
    Functions            = var.functions ? "yes" : "no"
    Table                = trimsuffix(trimprefix(jsonencode(var.table), "\""), "\"")
    DeadLetters          = trimsuffix(trimprefix(jsonencode(var.dead_letters), "\""), "\"")
    NoticeDeadLetters    = trimsuffix(trimprefix(jsonencode(var.notice_dead_letters), "\""), "\"")
    LeftOut              = trimsuffix(trimprefix(jsonencode(var.left_out), "\""), "\"")
    Cluster              = trimsuffix(trimprefix(jsonencode(var.cluster), "\""), "\"")
    Stays                = var.stays ? "yes" : "no"
    Service              = trimsuffix(trimprefix(jsonencode(var.service), "\""), "\"")
    Database             = trimsuffix(trimprefix(jsonencode(var.database), "\""), "\"")
    Certificate          = trimsuffix(trimprefix(jsonencode(var.certificate), "\""), "\"")
    StackName            = var.name
    Tells                = !(var.topic == "")
    HasApi               = !(var.api == "")
    HasFunctions         = (var.functions ? "yes" : "no") == "yes"
    HasTable             = !(var.table == "")
    HasDeadLetters       = !(var.dead_letters == "")
    HasNoticeDeadLetters = !(var.notice_dead_letters == "")
    HasLeftOut           = !(var.left_out == "")
    HasCluster           = !(var.cluster == "")
    HasStayingWorkers    = ((!(var.cluster == "")) && (var.stays ? "yes" : "no") == "yes")
    IsNamed              = !(var.installation == "")
    HasDatabase          = !(var.database == "")
    HasCertificate       = !(var.certificate == "")
  }
}
