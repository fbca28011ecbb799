# Mediamill on Fargate: the API behind a load balancer, and as many workers as there is work.

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
  description = "Bucket with the API's zip, of which the rotation's function is made."
  type        = string
}

variable "image" {
  description = "Image of the services in ECR, named by its digest."
  type        = string
}

variable "repository" {
  description = "ARN of its repository."
  type        = string
}

variable "certificate" {
  description = "ARN of the certificate of mill.example.org in ACM."
  type        = string
}

provider "aws" {
  region = "eu-central-1"
}

module "mill" {
  source = "../.."

  functions    = false
  services     = "whole"
  code_bucket  = var.code_bucket
  api_code     = "api.zip"
  image        = var.image
  repository   = var.repository
  certificate  = var.certificate
  public_url   = "https://mill.example.org"
  mail_from    = "mill@example.org"
  most_workers = 20
}

output "address" {
  description = "Where your DNS lets mill.example.org lead."
  value       = module.mill.address
}
