# Mediamill on Lambda: API, worker, notifier and sweep over DynamoDB, S3 and SQS.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "code_bucket" {
  description = "Bucket with the API's zip."
  type        = string
}

variable "api_code" {
  description = "Key of that zip: another name for each version, or Terraform sees no change."
  type        = string
}

variable "mail_from" {
  description = "Address that mails come from; SES must know it or its domain."
  type        = string
}

variable "worker_image" {
  description = "Image of the worker's functions in ECR."
  type        = string
}

variable "region" {
  description = "Region of all of it."
  type        = string
  default     = "eu-central-1"
}

variable "protected" {
  description = "Whether what is kept refuses to go."
  type        = bool
  default     = true
}

provider "aws" {
  region = var.region
}

module "mill" {
  source = "../.."

  code_bucket  = var.code_bucket
  api_code     = var.api_code
  worker_image = var.worker_image
  mail_from    = var.mail_from
  protected    = var.protected
}

output "address" {
  description = "Where the API and the pages are."
  value       = module.mill.address
}
