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
  description = "What names begin with."
  type        = string
  default     = "mill"

  validation {
    condition     = can(regex("^(?:[a-z][a-z0-9-]{0,27})$", var.name))
    error_message = "It has at most 28 small letters, digits and hyphens, as a bucket's does."
  }
}

variable "functions" {
  description = "Whether API, worker, notifier, sweep and ingest run on Lambda."
  type        = bool
  default     = true
}

variable "services" {
  description = "What runs on Fargate - nothing, workers beside the functions for what is too long for these, or all of it instead of them."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "workers", "whole"], var.services)
    error_message = "It must be one of none, workers, whole."
  }
}

variable "code_bucket" {
  description = "Bucket with the API's zip, as scripts/function_zip.py makes it."
  type        = string
}

variable "api_code" {
  description = "Key of the API's zip in CodeBucket."
  type        = string
}

variable "worker_image" {
  description = "Image of the worker's functions in ECR, made from infra/aws/worker.Dockerfile."
  type        = string
  default     = ""
}

variable "worker_code" {
  description = "Key of a zip of the worker, where there is no image (emulators)."
  type        = string
  default     = "none"
}

variable "worker_concurrency" {
  description = "Calls of the worker at a time."
  type        = number
  default     = 10

  validation {
    condition     = var.worker_concurrency >= 2
    error_message = "It must be >= 2."
  }

  validation {
    condition     = var.worker_concurrency <= 1000
    error_message = "It must be <= 1000."
  }
}

variable "image" {
  description = "Image of the services in ECR, made from deploy/docker/Dockerfile."
  type        = string
  default     = ""
}

variable "repository" {
  description = "ARN of the repository of Image."
  type        = string
  default     = ""
}

variable "processor" {
  description = "Processor that Image was built for."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.processor)
    error_message = "It must be one of ARM64, X86_64."
  }
}

variable "certificate" {
  description = "ARN of the certificate of PublicUrl in ACM, for the load balancer."
  type        = string
  default     = ""
}

variable "servers" {
  description = "Tasks of the API."
  type        = number
  default     = 2

  validation {
    condition     = var.servers >= 1
    error_message = "It must be >= 1."
  }
}

variable "least_workers" {
  description = "Tasks of workers when there is nothing to do."
  type        = number
  default     = 1

  validation {
    condition     = var.least_workers >= 0
    error_message = "It must be >= 0."
  }
}

variable "most_workers" {
  description = "Tasks of workers at most."
  type        = number
  default     = 10

  validation {
    condition     = var.most_workers >= 1
    error_message = "It must be >= 1."
  }
}

variable "units_per_worker" {
  description = "Units, ready or running, for which there is one worker."
  type        = number
  default     = 8

  validation {
    condition     = var.units_per_worker >= 1
    error_message = "It must be >= 1."
  }
}

variable "second_gateway" {
  description = "Whether each zone of the services' network has a NAT gateway of its own."
  type        = bool
  default     = false
}

variable "mail_from" {
  description = "Address that mails come from; SES must know it or its domain."
  type        = string

  validation {
    condition     = can(regex("^(?:[^@ ]+@[^@ ]+)$", var.mail_from))
    error_message = "It must be an address without a name, mill@example.org."
  }
}

variable "mail_identity" {
  description = "Whether to make the identity of its domain in SES."
  type        = bool
  default     = false
}

variable "operators_mail" {
  description = "Address that is told of alarms, of mails that come back and of what GuardDuty finds."
  type        = string
  default     = ""
}

variable "public_url" {
  description = "Address that users see; unless told, that of the HTTP API."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^https://[^/]+$)$", var.public_url))
    error_message = "It must be an address without a path, https://mill.example.org."
  }
}

variable "registration" {
  description = "Whether anybody who reaches the page may register."
  type        = bool
  default     = false
}

variable "caption_chain" {
  description = "Who writes captions, first to last, as in bedrock:amazon.nova-lite-v1:0; see docs/how-to/providers.md."
  type        = string
  default     = ""
}

variable "label_chain" {
  description = "Who labels images, likewise."
  type        = string
  default     = ""
}

variable "prompt_chain" {
  description = "Who answers prompts, likewise."
  type        = string
  default     = ""
}

variable "budget" {
  description = "The most that all model calls of a month may cost, in US dollars; none is no limit."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^[0-9]+([.][0-9]+)?$)$", var.budget))
    error_message = "It must be a number, 12.50."
  }
}

variable "user_budget" {
  description = "The most that those of one user may cost."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^[0-9]+([.][0-9]+)?$)$", var.user_budget))
    error_message = "It must be a number, 12.50."
  }
}

variable "bedrock_models" {
  description = "ARNs of models and profiles of Bedrock that may be asked; none unless named."
  type        = list(string)
  default     = []
}

variable "sage_maker_endpoints" {
  description = "ARNs of endpoints of SageMaker that may be asked; none unless named."
  type        = list(string)
  default     = []
}

variable "rekognition" {
  description = "Whether Rekognition may be asked for labels."
  type        = bool
  default     = false
}

variable "sign_in" {
  description = "What the address of a sign-in page of Cognito begins with; none makes no pool."
  type        = string
  default     = ""
}

variable "lake" {
  description = "Whether figures are exported for Athena and QuickSight."
  type        = bool
  default     = false
}

variable "trail" {
  description = "Whether to keep a trail of what is asked of AWS, for an account that has none."
  type        = bool
  default     = true
}

variable "guard" {
  description = "Whether to turn on GuardDuty, for an account that has not."
  type        = bool
  default     = true
}

variable "cold_after_days" {
  description = "After how many days originals go to cold storage; 0 leaves them where they are."
  type        = number
  default     = 90

  validation {
    condition     = var.cold_after_days >= 0
    error_message = "It must be >= 0."
  }
}

variable "deleted_days" {
  description = "For how many days the bucket can bring back what was deleted or written anew."
  type        = number
  default     = 1

  validation {
    condition     = var.deleted_days >= 1
    error_message = "It must be >= 1."
  }

  validation {
    condition     = var.deleted_days <= 35
    error_message = "It must be <= 35."
  }
}

variable "rotation_days" {
  description = "After how many days the secret of links changes."
  type        = number
  default     = 90

  validation {
    condition     = var.rotation_days >= 1
    error_message = "It must be >= 1."
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "It must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "kafka_cluster" {
  description = "ARN of an MSK cluster to take files from, if any."
  type        = string
  default     = ""
}

variable "kafka_topics" {
  description = "Topics that functions take."
  type        = list(string)
  default     = ["images"]
}

variable "kafka_brokers" {
  description = "Brokers of KafkaCluster for IAM, BootstrapBrokerStringSaslIam of get-bootstrap-brokers."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^[A-Za-z0-9.-]+:[0-9]+(,[A-Za-z0-9.-]+:[0-9]+)*$)$", var.kafka_brokers))
    error_message = "It must be names and ports, b-1.mill.c1.kafka.eu-central-1.amazonaws.com:9098,...; this stack signs in by IAM and in no other way."
  }
}

variable "stream_topics" {
  description = "Whose files a topic brings; see docs/how-to/stream.md."
  type        = string
  default     = ""
}

variable "kafka_subnets" {
  description = "Subnets from which functions reach the brokers, and all else."
  type        = list(string)
  default     = []
}

variable "kafka_security_groups" {
  description = "Security groups that the brokers let in; services take the first."
  type        = list(string)
  default     = []
}

variable "endpoint" {
  description = "Another server than AWS's, for an emulator."
  type        = string
  default     = ""
}

data "aws_region" "here" {}
data "aws_partition" "here" {}
data "aws_caller_identity" "here" {}

locals {
  given = {
    AccountId           = data.aws_caller_identity.here.account_id
    Partition           = data.aws_partition.here.partition
    Region              = data.aws_region.here.name
    URLSuffix           = data.aws_partition.here.dns_suffix
    Name                = var.name
    Functions           = var.functions ? "yes" : "no"
    Services            = var.services
    CodeBucket          = var.code_bucket
    ApiCode             = var.api_code
    WorkerImage         = var.worker_image
    WorkerCode          = var.worker_code
    WorkerConcurrency   = var.worker_concurrency
    Image               = var.image
    Repository          = var.repository
    Processor           = var.processor
    Certificate         = var.certificate
    Servers             = var.servers
    LeastWorkers        = var.least_workers
    MostWorkers         = var.most_workers
    UnitsPerWorker      = var.units_per_worker
    SecondGateway       = var.second_gateway ? "yes" : "no"
    MailFrom            = var.mail_from
    MailIdentity        = var.mail_identity ? "yes" : "no"
    OperatorsMail       = var.operators_mail
    PublicUrl           = var.public_url
    Registration        = var.registration ? "true" : "false"
    CaptionChain        = var.caption_chain
    LabelChain          = var.label_chain
    PromptChain         = var.prompt_chain
    Budget              = var.budget
    UserBudget          = var.user_budget
    BedrockModels       = var.bedrock_models
    SageMakerEndpoints  = var.sage_maker_endpoints
    Rekognition         = var.rekognition ? "yes" : "no"
    SignIn              = var.sign_in
    Lake                = var.lake ? "yes" : "no"
    Trail               = var.trail ? "yes" : "no"
    Guard               = var.guard ? "yes" : "no"
    ColdAfterDays       = var.cold_after_days
    DeletedDays         = var.deleted_days
    RotationDays        = var.rotation_days
    LogDays             = var.log_days
    KafkaCluster        = var.kafka_cluster
    KafkaTopics         = var.kafka_topics
    KafkaBrokers        = var.kafka_brokers
    StreamTopics        = var.stream_topics
    KafkaSubnets        = var.kafka_subnets
    KafkaSecurityGroups = var.kafka_security_groups
    Endpoint            = var.endpoint
    StackName           = var.name
    HasFunctions        = (var.functions ? "yes" : "no") == "yes"
    HasServices         = !(var.services == "none")
    IsWhole             = var.services == "whole"
    WorkersStay         = !(tostring(var.least_workers) == "0")
    HasSignIn           = !(var.sign_in == "")
    HasLake             = (var.lake ? "yes" : "no") == "yes"
    HasKafka            = !(var.kafka_cluster == "")
    StreamCalls         = ((!(var.kafka_cluster == "")) && ((var.functions ? "yes" : "no") == "yes"))
    HasKafkaGroups      = !(join("", var.kafka_security_groups) == "")
    HasEndpoint         = !(var.endpoint == "")
    AsksCognito         = ((!(var.sign_in == "")) && !((!(var.endpoint == ""))))
  }
}

resource "terraform_data" "rules" {
  lifecycle {
    precondition {
      condition     = !(!(var.kafka_cluster == "")) || !(var.kafka_brokers == "")
      error_message = "kafka_cluster needs its kafka_brokers."
    }

    precondition {
      condition     = !(!(var.services == "none")) || (!(var.image == "") && !(var.repository == ""))
      error_message = "Services need their Image and its Repository."
    }

    precondition {
      condition     = !(var.services == "whole") || (var.functions ? "yes" : "no") == "no"
      error_message = "Where all of it runs as services, set functions = false."
    }

    precondition {
      condition     = !(var.services == "whole") || (!(var.certificate == "") && !(var.public_url == ""))
      error_message = "The API as a service needs a public_url and its Certificate."
    }

    precondition {
      condition     = !((var.functions ? "yes" : "no") == "no") || var.services == "whole"
      error_message = "Without functions set services = \"whole\"."
    }

    precondition {
      condition     = !((var.functions ? "yes" : "no") == "yes") || (!(var.worker_image == "") || !(var.worker_code == "none"))
      error_message = "Functions need the worker_image, or a zip, worker_code."
    }

    precondition {
      condition     = !(!(var.sign_in == "")) || !(var.public_url == "")
      error_message = "sign_in needs a public_url, to which people come back."
    }
  }
}
