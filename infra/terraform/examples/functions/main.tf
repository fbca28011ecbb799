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

variable "worker_image" {
  description = "Image of the worker's functions in ECR."
  type        = string
  default     = ""
}

provider "aws" {
  region = "eu-central-1"
}

module "mill" {
  source = "../.."

  code_bucket  = var.code_bucket
  api_code     = "api.zip"
  worker_image = var.worker_image
  mail_from    = "mill@example.org"
}

output "address" {
  description = "Where the API and the pages are."
  value       = module.mill.address
}
