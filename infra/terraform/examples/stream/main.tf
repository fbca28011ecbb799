# Brokers of MSK in a network that is there. Made by itself, before the whole names them: which parts
# there are depends on whether there are brokers.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "vpc" {
  description = "Network of the brokers."
  type        = string
}

variable "subnets" {
  description = "Two private subnets, each in a zone of its own."
  type        = list(string)
}

variable "clients" {
  description = "Security group of who reads and writes."
  type        = string
}

variable "region" {
  description = "Region of all of it."
  type        = string
  default     = "eu-central-1"
}

provider "aws" {
  region = var.region
}

module "stream" {
  source = "../../modules/stream"

  name    = "mill"
  vpc     = var.vpc
  subnets = var.subnets
  clients = var.clients
}

output "cluster" {
  description = "Variable kafka_cluster of the whole."
  value       = module.stream.cluster
}

output "brokers" {
  description = "Variable kafka_brokers of the whole."
  value       = module.stream.brokers
}
