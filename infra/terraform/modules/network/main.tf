# Two zones, each with a public and a private subnet. What runs is in the private ones.

data "aws_availability_zones" "here" {
  state = "available"
}

locals {
  of_type = { for type in distinct([for one in local.here : one.Type]) : type => { for name, one in local.here : name => one if one.Type == type } }
  gateways = {
    for name, one in local.of_type["AWS::EC2::NatGateway"] : name => {
      subnet  = trimsuffix(trimprefix(one.SubnetId, "$${"), "}")
      address = trimsuffix(trimprefix(one.AllocationId, "$${"), "_AllocationId}")
    }
  }
}

resource "aws_vpc" "vpc" {
  cidr_block           = local.source.Vpc.CidrBlock
  enable_dns_support   = local.source.Vpc.EnableDnsSupport
  enable_dns_hostnames = local.source.Vpc.EnableDnsHostnames
  tags                 = { Name = var.name }
}

# Nothing is in it; what it lets through by itself goes.
resource "aws_default_security_group" "vpc" {
  vpc_id = aws_vpc.vpc.id
}

resource "aws_subnet" "subnet" {
  for_each = local.of_type["AWS::EC2::Subnet"]

  vpc_id            = aws_vpc.vpc.id
  cidr_block        = each.value.CidrBlock
  availability_zone = data.aws_availability_zones.here.names[each.value.AvailabilityZone["Fn::Select"][0]]
  tags              = { Name = "${var.name}-${each.key}" }
}

# Attached by naming its network.
resource "aws_internet_gateway" "gateway" {
  vpc_id = aws_vpc.vpc.id
  tags   = { Name = var.name }
}

resource "aws_eip" "address" {
  for_each = local.of_type["AWS::EC2::EIP"]

  domain     = each.value.Domain
  depends_on = [aws_internet_gateway.gateway]
}

resource "aws_nat_gateway" "nat" {
  for_each = local.gateways

  subnet_id     = aws_subnet.subnet[each.value.subnet].id
  allocation_id = aws_eip.address[each.value.address].id
}

resource "aws_route_table" "routes" {
  for_each = local.of_type["AWS::EC2::RouteTable"]

  vpc_id = aws_vpc.vpc.id
  tags   = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table_association" "routes" {
  for_each = local.of_type["AWS::EC2::SubnetRouteTableAssociation"]

  subnet_id      = aws_subnet.subnet[trimsuffix(trimprefix(each.value.SubnetId, "$${"), "}")].id
  route_table_id = aws_route_table.routes[trimsuffix(trimprefix(each.value.RouteTableId, "$${"), "}")].id
}

resource "aws_route" "public_out" {
  route_table_id         = aws_route_table.routes["PublicRoutes"].id
  destination_cidr_block = local.source.PublicOut.DestinationCidrBlock
  gateway_id             = aws_internet_gateway.gateway.id
}

resource "aws_route" "out_a" {
  route_table_id         = aws_route_table.routes["RoutesA"].id
  destination_cidr_block = local.source.OutA.DestinationCidrBlock
  nat_gateway_id         = aws_nat_gateway.nat["NatA"].id
}

resource "aws_route" "out_b" {
  route_table_id         = aws_route_table.routes["RoutesB"].id
  destination_cidr_block = local.source.OutB.DestinationCidrBlock
  nat_gateway_id         = aws_nat_gateway.nat[local.given.HasSecond ? "NatB" : "NatA"].id
}

resource "aws_vpc_endpoint" "endpoint" {
  for_each = local.of_type["AWS::EC2::VPCEndpoint"]

  vpc_id            = aws_vpc.vpc.id
  vpc_endpoint_type = each.value.VpcEndpointType
  service_name      = templatestring(local.endpoints[each.key], local.given)
  route_table_ids   = [for name in ["RoutesA", "RoutesB"] : aws_route_table.routes[name].id]
}

locals {
  endpoints = { for name, one in local.of_type["AWS::EC2::VPCEndpoint"] : name => one.ServiceName }
}

resource "aws_flow_log" "flow_log" {
  vpc_id               = aws_vpc.vpc.id
  traffic_type         = local.source.FlowLog.TrafficType
  log_destination_type = local.source.FlowLog.LogDestinationType
  log_destination      = aws_cloudwatch_log_group.flows.arn
  iam_role_arn         = aws_iam_role.flow_role.arn
}

resource "aws_cloudwatch_log_group" "flows" {
  name              = "/mediamill/${var.name}/refused"
  retention_in_days = var.log_days
  kms_key_id        = var.data_key
}

resource "aws_iam_role" "flow_role" {
  name               = "${var.name}-flows"
  assume_role_policy = jsonencode(jsondecode(templatestring(local.text["FlowRole"], local.logged)).AssumeRolePolicyDocument)
}

resource "aws_iam_role_policy" "flow_role" {
  name   = "own"
  role   = aws_iam_role.flow_role.name
  policy = jsonencode(one(jsondecode(templatestring(local.text["FlowRole"], local.logged)).Policies).PolicyDocument)
}

locals {
  logged = merge(local.given, { Flows_Arn = aws_cloudwatch_log_group.flows.arn })
}

resource "aws_security_group" "nobody" {
  name        = "${var.name}-nobody"
  description = local.source.Nobody.GroupDescription
  vpc_id      = aws_vpc.vpc.id

  dynamic "egress" {
    for_each = local.source.Nobody.SecurityGroupEgress

    content {
      protocol    = egress.value.IpProtocol
      from_port   = egress.value.FromPort
      to_port     = egress.value.ToPort
      cidr_blocks = [egress.value.CidrIp]
      description = replace(egress.value.Description, "'", "")
    }
  }
}
