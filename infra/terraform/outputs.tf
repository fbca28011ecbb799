output "address" {
  description = "Where the API and the pages are; of the load balancer the name where your DNS lets public_url lead."
  value       = local.given.HasFunctions ? module.calls[0].address : module.tasks[0].address
}

output "table" {
  description = "Name of the table."
  value       = module.data.table
}

output "bucket" {
  description = "Name of the bucket."
  value       = module.data.bucket
}

output "work_queue" {
  description = "For workers beside the functions, sqs://QUEUE?hear=none&notices=..."
  value       = module.queues.work_queue
}

output "notice_queue" {
  description = "Name of the queue that calls the notifier."
  value       = module.queues.notice_queue
}

output "api_host" {
  description = "Name of the HTTP API's host, the origin of modules/edge; of services there is none."
  value       = local.given.HasFunctions ? module.calls[0].host : ""
}

output "vpc" {
  description = "Id of the services' network, for modules/stream; of functions there is none."
  value       = one(module.network[*].vpc)
}

output "subnets" {
  description = "Ids of the subnets where services run."
  value       = one(module.network[*].private)
}

output "clients" {
  description = "Id of the security group of workers and ingest."
  value       = one(module.network[*].nobody)
}
