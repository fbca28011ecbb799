# A cluster of MSK, signed in to by IAM alone. Made by itself, before the rest names it.

locals {
  cluster = local.source.Cluster
}

resource "aws_kms_key" "key" {
  description         = local.source.Key.Description
  enable_key_rotation = true
  policy              = jsonencode(jsondecode(templatestring(local.text["Key"], local.given)).KeyPolicy)
}

resource "aws_security_group" "group" {
  name        = "${var.name}-brokers"
  description = local.source.Group.GroupDescription
  vpc_id      = var.vpc

  dynamic "egress" {
    for_each = local.source.Group.SecurityGroupEgress

    content {
      description = replace(egress.value.Description, "'", "")
      protocol    = egress.value.IpProtocol
      from_port   = egress.value.FromPort
      to_port     = egress.value.ToPort
      cidr_blocks = [egress.value.CidrIp]
    }
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_clients" {
  security_group_id            = aws_security_group.group.id
  referenced_security_group_id = var.clients
  ip_protocol                  = local.source.FromClients.IpProtocol
  from_port                    = local.source.FromClients.FromPort
  to_port                      = local.source.FromClients.ToPort
  description                  = local.source.FromClients.Description
}

resource "aws_vpc_security_group_ingress_rule" "from_the_trigger" {
  security_group_id            = aws_security_group.group.id
  referenced_security_group_id = aws_security_group.group.id
  ip_protocol                  = local.source.FromTheTrigger.IpProtocol
  from_port                    = local.source.FromTheTrigger.FromPort
  to_port                      = local.source.FromTheTrigger.ToPort
  description                  = replace(local.source.FromTheTrigger.Description, "'", "")
}

resource "aws_msk_configuration" "settings" {
  name              = var.name
  server_properties = local.source.Settings.ServerProperties
}

resource "aws_msk_cluster" "cluster" {
  cluster_name           = var.name
  kafka_version          = local.cluster.KafkaVersion
  number_of_broker_nodes = local.cluster.NumberOfBrokerNodes
  enhanced_monitoring    = local.cluster.EnhancedMonitoring

  broker_node_group_info {
    instance_type   = var.instance
    client_subnets  = var.subnets
    security_groups = [aws_security_group.group.id]

    storage_info {
      ebs_storage_info {
        volume_size = var.gigabytes
      }
    }
  }

  client_authentication {
    unauthenticated = false

    sasl {
      iam = true
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = aws_kms_key.key.arn

    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.settings.arn
    revision = aws_msk_configuration.settings.latest_revision
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.log.name
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "log" {
  name              = "/mediamill/${var.name}/brokers"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.key.arn
}
