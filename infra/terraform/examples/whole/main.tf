# Functions with workers beside them for what is too long, sign-in by Cognito, figures for Athena, and
# CloudFront with a firewall before it all.

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

variable "image" {
  description = "Image of the services in ECR, named by its digest."
  type        = string
}

variable "repository" {
  description = "ARN of its repository."
  type        = string
}

variable "edge_certificate" {
  description = "ARN of the certificate of mill.example.org in ACM, in us-east-1."
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

provider "aws" {
  alias  = "edge"
  region = "us-east-1"
}

module "mill" {
  source = "../.."

  services       = "workers"
  code_bucket    = var.code_bucket
  api_code       = var.api_code
  worker_image   = var.worker_image
  image          = var.image
  repository     = var.repository
  public_url     = "https://mill.example.org"
  mail_from      = var.mail_from
  mail_identity  = true
  operators_mail = "operators@example.org"
  sign_in        = "mill-example"
  lake           = true
  protected      = var.protected
}

module "edge" {
  source    = "../../modules/edge"
  providers = { aws = aws.edge }

  name        = "mill"
  address     = "mill.example.org"
  certificate = var.edge_certificate
  origin      = module.mill.api_host
}

output "address" {
  description = "Where your DNS lets mill.example.org lead."
  value       = module.edge.domain
}
