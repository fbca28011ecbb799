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

variable "api_code" {
  description = "Key of that zip: another name for each version, or Terraform sees no change."
  type        = string
}

variable "mail_from" {
  description = "Address that mails come from; SES must know it or its domain."
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

  functions    = false
  services     = "whole"
  code_bucket  = var.code_bucket
  api_code     = var.api_code
  image        = var.image
  repository   = var.repository
  certificate  = var.certificate
  public_url   = "https://mill.example.org"
  mail_from    = var.mail_from
  most_workers = 20
  protected    = var.protected
}

output "address" {
  description = "Where your DNS lets mill.example.org lead."
  value       = module.mill.address
}
