output "vpc" {
  description = "Id of the network."
  value       = aws_vpc.vpc.id
}

output "cidr" {
  description = "Its addresses."
  value       = aws_vpc.vpc.cidr_block
}

output "public" {
  description = "Subnets of the load balancer."
  value       = [for name in ["PublicA", "PublicB"] : aws_subnet.subnet[name].id]
}

output "private" {
  description = "Subnets of the tasks."
  value       = [for name in ["PrivateA", "PrivateB"] : aws_subnet.subnet[name].id]
}

output "nobody" {
  description = "Security group of who is asked by nobody."
  value       = aws_security_group.nobody.id
}
