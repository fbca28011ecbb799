output "cluster" {
  description = "Variable kafka_cluster of the whole."
  value       = aws_msk_cluster.cluster.arn
}

output "brokers" {
  description = "Variable kafka_brokers of the whole."
  value       = aws_msk_cluster.cluster.bootstrap_brokers_sasl_iam
}
