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

provider "aws" {
  region = "eu-central-1"
}

provider "aws" {
  alias  = "edge"
  region = "us-east-1"
}

module "mill" {
  source = "../.."

  services       = "workers"
  code_bucket    = var.code_bucket
  api_code       = "api.zip"
  worker_image   = var.worker_image
  image          = var.image
  repository     = var.repository
  public_url     = "https://mill.example.org"
  mail_from      = "mill@example.org"
  mail_identity  = true
  operators_mail = "operators@example.org"
  sign_in        = "mill-example"
  lake           = true
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
