output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.cluster.name
}

output "address" {
  description = "Where your DNS lets the address lead; of workers alone there is none."
  value       = local.given.IsWhole ? aws_lb.balancer[0].dns_name : ""
}
