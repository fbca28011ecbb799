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
  depends_on  = [aws_internet_gateway.gateway, aws_route.public_out, aws_route_table_association.routes]
}

output "private" {
  description = "Subnets of the tasks."
  value       = [for name in ["PrivateA", "PrivateB"] : aws_subnet.subnet[name].id]
  depends_on  = [aws_route.out_a, aws_route.out_b, aws_route_table_association.routes, aws_vpc_endpoint.endpoint]
}

output "nobody" {
  description = "Security group of who is asked by nobody."
  value       = aws_security_group.nobody.id
}
