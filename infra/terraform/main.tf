# What infra/aws/template.yaml is for CloudFormation: what it keeps, functions or services or both, and
# who looks after them. modules/edge (CloudFront, in us-east-1) and modules/stream (MSK) stand apart.

locals {
  region = local.given.Region
  at     = local.given.HasEndpoint ? "&endpoint=${var.endpoint}" : ""
  secret = "region=${local.region}${local.at}"

  # what functions and services are told alike
  store_url    = "dynamodb://${module.data.table}?region=${local.region}${local.at}${local.given.HasEndpoint ? "&lag=0" : ""}"
  blobs_url    = "s3://${module.data.bucket}/mill?region=${local.region}&encryption=aws:kms&kms_key=${module.data.data_key}${local.at}"
  sealing_url  = "kms://${module.data.sealing_key}?region=${local.region}${local.at}"
  link_secret  = "$${secretsmanager:${module.secrets.link_secret_name}?${local.secret}}"
  former       = "$${secretsmanager:${module.secrets.link_secret_name}?stage=AWSPREVIOUS&${local.secret}}"
  mail_url     = "ses://?region=${local.region}&from=${var.mail_from}&configuration_set=${module.mail.mails}${local.at}"
  events_url   = "sns://${module.queues.events}${local.given.HasEndpoint ? "?endpoint=${var.endpoint}" : ""}"
  identity_url = local.given.AsksCognito ? module.people[0].identity_url : "local:"
  analytics_url = (
    local.given.HasLake ? "s3://${module.figures[0].figures}/figures?region=${local.region}${local.at}" : ""
  )
  stream_url = !local.given.HasKafka ? "none:" : (
    local.given.HasEndpoint ? "kafka://${var.kafka_brokers}/" : "kafkas://${var.kafka_brokers}/?sasl=AWS_MSK_IAM&region=${local.region}"
  )
  asks_models = length(concat(var.bedrock_models, var.sage_maker_endpoints)) > 0 || var.rekognition
  queue       = "sqs://${module.queues.work_queue}?region=${local.region}"
}

module "data" {
  source = "./modules/data"

  name            = var.name
  origin          = var.public_url
  cold_after_days = var.cold_after_days
  deleted_days    = var.deleted_days
  log_days        = var.log_days
  endpoint        = var.endpoint
  protected       = var.protected
}

# Where one of these would go, the plan fails and nothing is touched. `lifecycle` takes no variable, so
# who means it takes the guard out of the state: `terraform state rm module.mill.terraform_data.kept`.
resource "terraform_data" "kept" {
  for_each = var.protected ? merge(
    {
      table       = module.data.table_arn
      bucket      = module.data.bucket
      log_bucket  = module.data.log_bucket
      data_key    = module.data.data_key
      sealing_key = module.data.sealing_key_arn
    },
    local.given.HasLake ? { figures = module.figures[0].figures } : {},
    local.given.HasSignIn ? { people = module.people[0].people } : {},
  ) : {}

  # another one is no update of the guard, but its end
  triggers_replace = each.value

  lifecycle {
    prevent_destroy = true
  }

  # what belongs to them does not go before them
  depends_on = [module.data, module.figures, module.people]
}

module "queues" {
  source = "./modules/queues"

  name           = var.name
  data_key       = module.data.data_key
  operators_mail = var.operators_mail
  stream         = local.given.StreamCalls
}

module "mail" {
  source = "./modules/mail"

  name      = var.name
  mail_from = var.mail_from
  identity  = var.mail_identity
  operators = module.queues.operators
}

module "secrets" {
  source = "./modules/secrets"

  name          = var.name
  data_key      = module.data.data_key
  code_bucket   = var.code_bucket
  api_code      = var.api_code
  rotation_days = var.rotation_days
  protected     = var.protected
  log_days      = var.log_days
  endpoint      = var.endpoint
}

module "people" {
  source = "./modules/sign-in"
  count  = local.given.HasSignIn ? 1 : 0

  name       = var.name
  public_url = var.public_url
  prefix     = var.sign_in
  protected  = var.protected
  data_key   = module.data.data_key
}

module "figures" {
  source = "./modules/lake"
  count  = local.given.HasLake ? 1 : 0

  name       = var.name
  log_bucket = module.data.log_bucket
  endpoint   = var.endpoint
  protected  = var.protected
}

module "rights" {
  source = "./modules/rights"

  name                 = var.name
  table_arn            = module.data.table_arn
  bucket_arn           = module.data.bucket_arn
  figures_arn          = local.given.HasLake ? module.figures[0].figures_arn : ""
  data_key             = module.data.data_key
  sealing_key_arn      = module.data.sealing_key_arn
  secrets              = concat([module.secrets.link_secret], [for one in module.people : one.client_secret])
  work_queue_arn       = module.queues.work_queue_arn
  notice_queue_arn     = module.queues.notice_queue_arn
  events_arn           = module.queues.events
  mail_from            = var.mail_from
  mails_arn            = module.mail.mails_arn
  kafka_cluster        = var.kafka_cluster
  bedrock_models       = var.bedrock_models
  sage_maker_endpoints = var.sage_maker_endpoints
  rekognition          = var.rekognition
  has_figures          = local.given.HasLake
}

module "calls" {
  source = "./modules/functions"
  count  = local.given.HasFunctions ? 1 : 0

  name                  = var.name
  code_bucket           = var.code_bucket
  api_code              = var.api_code
  worker_image          = var.worker_image
  worker_code           = var.worker_code
  worker_concurrency    = var.worker_concurrency
  store_url             = local.store_url
  blobs_url             = local.blobs_url
  broker_url            = "${local.queue}&wake=2&notices=${module.queues.notice_queue}${local.at}"
  sealing_url           = local.sealing_url
  link_secret           = local.link_secret
  former_secret         = local.former
  mail_url              = local.mail_url
  events_url            = local.events_url
  identity_url          = local.identity_url
  analytics_url         = local.analytics_url
  public_url            = var.public_url
  registration          = tostring(var.registration)
  caption_chain         = var.caption_chain
  label_chain           = var.label_chain
  prompt_chain          = var.prompt_chain
  budget                = var.budget
  user_budget           = var.user_budget
  models                = module.rights.models
  has_models            = local.asks_models
  state                 = module.rights.state
  posts                 = module.rights.posts
  brokers               = module.rights.brokers
  files                 = module.rights.files
  figures               = module.rights.figures
  has_figures           = local.given.HasLake
  work_queue_arn        = module.queues.work_queue_arn
  notice_queue_arn      = module.queues.notice_queue_arn
  left_out_arn          = module.queues.left_out_arn
  stream_url            = local.stream_url
  stream_topics         = var.stream_topics
  kafka_cluster         = var.kafka_cluster
  kafka_topics          = var.kafka_topics
  kafka_subnets         = var.kafka_subnets
  kafka_security_groups = var.kafka_security_groups
  data_key              = module.data.data_key
  log_days              = var.log_days
}

module "network" {
  source = "./modules/network"
  count  = local.given.HasServices ? 1 : 0

  name           = var.name
  data_key       = module.data.data_key
  log_days       = var.log_days
  second_gateway = var.second_gateway
}

module "tasks" {
  source = "./modules/services"
  count  = local.given.HasServices ? 1 : 0

  name                 = var.name
  whole                = local.given.IsWhole
  image                = var.image
  repository           = var.repository
  processor            = var.processor
  certificate          = var.certificate
  vpc                  = module.network[0].vpc
  cidr                 = module.network[0].cidr
  public               = module.network[0].public
  private              = module.network[0].private
  nobody               = module.network[0].nobody
  kafka_security_group = try(var.kafka_security_groups[0], "")
  store_url            = local.store_url
  blobs_url            = local.blobs_url
  broker_url = (
    local.given.IsWhole ? "${local.queue}${local.at}" : "${local.queue}&notices=${module.queues.notice_queue}&hear=none${local.at}"
  )
  sealing_url      = local.sealing_url
  link_secret      = local.link_secret
  former_secret    = local.former
  mail_url         = local.mail_url
  events_url       = local.events_url
  identity_url     = local.identity_url
  analytics_url    = local.analytics_url
  stream_url       = local.stream_url
  stream_topics    = var.stream_topics
  kafka_cluster    = var.kafka_cluster
  public_url       = local.given.IsWhole ? var.public_url : module.calls[0].address
  registration     = tostring(var.registration)
  caption_chain    = var.caption_chain
  label_chain      = var.label_chain
  prompt_chain     = var.prompt_chain
  budget           = var.budget
  user_budget      = var.user_budget
  models           = module.rights.models
  has_models       = local.asks_models
  state            = module.rights.state
  posts            = module.rights.posts
  brokers          = module.rights.brokers
  files            = module.rights.files
  figures          = module.rights.figures
  has_figures      = local.given.HasLake
  work_queue_arn   = module.queues.work_queue_arn
  data_key         = module.data.data_key
  log_days         = var.log_days
  servers          = var.servers
  least_workers    = var.least_workers
  most_workers     = var.most_workers
  units_per_worker = var.units_per_worker
  protected        = var.protected
}

module "watch" {
  source = "./modules/watch"

  name                = var.name
  operators           = module.queues.operators
  functions           = var.functions
  api                 = local.given.HasFunctions ? module.calls[0].api : ""
  cluster             = local.given.HasServices ? module.tasks[0].cluster : ""
  stays               = local.given.WorkersStay
  table               = module.data.table
  bucket              = module.data.bucket
  work_queue          = module.queues.work_queue
  work_dead_letters   = module.queues.work_dead_letters
  notice_dead_letters = module.queues.notice_dead_letters
  left_out            = module.queues.left_out
  certificate         = var.certificate
  trail               = var.trail
  guard               = var.guard
  log_bucket          = module.data.log_bucket
  data_key            = module.data.data_key
  watched = [
    for condition, holds in {
      HasApi            = local.given.HasFunctions
      HasFunctions      = local.given.HasFunctions
      HasCluster        = local.given.HasServices
      HasStayingWorkers = local.given.HasServices && local.given.WorkersStay
      HasLeftOut        = local.given.StreamCalls
      HasCertificate    = local.given.IsWhole # which needs one; it may be made by the same run
    } : condition if holds
  ]
}
