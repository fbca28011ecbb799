# Services on Fargate: workers, and where var.whole the API behind a load balancer and the ingest.

locals {
  of_type = { for type in distinct([for one in local.here : one.Type]) : type => { for name, one in local.here : name => one if one.Type == type } }

  roles = {
    for name in keys(local.of_type["AWS::IAM::Role"]) : name => jsondecode(templatestring(local.text[name], merge(local.given, {
      Log_Arn = aws_cloudwatch_log_group.log.arn
    })))
  }
  owned = { for name, one in local.of_type["AWS::IAM::Role"] : name => one if can(one.Policies) }
  tasks = {
    for name in keys(local.of_type["AWS::ECS::TaskDefinition"]) : name => jsondecode(templatestring(local.text[name], merge(
      local.given,
      { for role, one in aws_iam_role.role : "${role}_Arn" => one.arn },
      { Log = aws_cloudwatch_log_group.log.name },
    )))
  }
  policies = merge([
    for role, one in local.of_type["AWS::IAM::Role"] : {
      for arn in try(one.ManagedPolicyArns, []) : "${role}-${try(arn.Then, arn)}" => {
        role = role, arn = try(arn.Then, arn)
      } if try(merge(local.given, { HasFigures = var.has_figures, HasModels = var.has_models })[arn.If], true)
    }
  ]...)
  containers = { for name, one in local.tasks : name => one.ContainerDefinitions }
  services   = local.of_type["AWS::ECS::Service"]
  doors      = { for name in ["Anybody", "Asked"] : name => local.source[name] if contains(keys(local.here), name) }
}

resource "aws_ecs_cluster" "cluster" {
  name = var.name

  setting {
    name  = one(local.source.Cluster.ClusterSettings).Name
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "cluster" {
  cluster_name       = aws_ecs_cluster.cluster.name
  capacity_providers = local.source.Cluster.CapacityProviders
}

resource "aws_cloudwatch_log_group" "log" {
  name              = "/mediamill/${var.name}/services"
  retention_in_days = var.log_days
  kms_key_id        = var.data_key
}

# -- what each may do ------------------------------------------------------------------------------

resource "aws_iam_role" "role" {
  for_each = local.of_type["AWS::IAM::Role"]

  name               = "${var.name}-services-${each.key}"
  assume_role_policy = jsonencode(local.roles[each.key].AssumeRolePolicyDocument)
}

resource "aws_iam_role_policy" "own" {
  for_each = local.owned

  name = "own"
  role = aws_iam_role.role[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in [
        for statement in one(local.roles[each.key].Policies).PolicyDocument.Statement :
        try(local.given[statement.If] ? statement.Then : statement.Else, statement)
      ] : statement if statement != null
    ]
  })
}

resource "aws_iam_role_policy_attachment" "shared" {
  for_each = local.policies

  role       = aws_iam_role.role[each.value.role].name
  policy_arn = templatestring(local.policies[each.key].arn, local.given)
}

# -- the tasks -------------------------------------------------------------------------------------

resource "aws_ecs_task_definition" "task" {
  for_each = local.of_type["AWS::ECS::TaskDefinition"]

  family                   = "${var.name}-${lower(trimsuffix(each.key, "Task"))}"
  requires_compatibilities = each.value.RequiresCompatibilities
  network_mode             = "awsvpc"
  cpu                      = local.tasks[each.key].Cpu
  memory                   = local.tasks[each.key].Memory
  execution_role_arn       = aws_iam_role.role["StartRole"].arn
  task_role_arn            = aws_iam_role.role["${trimsuffix(each.key, "Task")}Role"].arn

  runtime_platform {
    cpu_architecture        = var.processor
    operating_system_family = each.value.RuntimePlatform.OperatingSystemFamily
  }

  ephemeral_storage {
    size_in_gib = local.tasks[each.key].EphemeralStorage.SizeInGiB
  }

  dynamic "volume" {
    for_each = each.value.Volumes

    content {
      name = volume.value.Name
    }
  }

  container_definitions = jsonencode([
    for one in local.containers[each.key] : {
      name                   = one.Name
      image                  = one.Image
      essential              = one.Essential
      command                = one.Command
      readonlyRootFilesystem = one.ReadonlyRootFilesystem
      user                   = one.User
      linuxParameters        = { initProcessEnabled = one.LinuxParameters.InitProcessEnabled }
      stopTimeout            = one.StopTimeout
      mountPoints = [
        for mount in one.MountPoints : {
          sourceVolume = mount.SourceVolume, containerPath = mount.ContainerPath, readOnly = mount.ReadOnly
        }
      ]
      portMappings = [
        for port in try(one.PortMappings, []) : {
          containerPort = port.ContainerPort, hostPort = port.ContainerPort, protocol = port.Protocol
        }
      ]
      logConfiguration = { logDriver = one.LogConfiguration.LogDriver, options = one.LogConfiguration.Options }
      environment      = [for given in one.Environment : { name = given.Name, value = given.Value }]
    }
  ])
}

# -- the API behind its load balancer --------------------------------------------------------------

resource "aws_security_group" "door" {
  for_each = local.doors

  name        = "${var.name}-${lower(each.key)}"
  description = each.value.GroupDescription
  vpc_id      = var.vpc

  dynamic "egress" {
    for_each = each.value.SecurityGroupEgress

    content {
      protocol    = egress.value.IpProtocol
      from_port   = egress.value.FromPort
      to_port     = egress.value.ToPort
      cidr_blocks = [egress.value.CidrIp == "$${Cidr}" ? var.cidr : egress.value.CidrIp]
      description = replace(egress.value.Description, "'", "")
    }
  }
}

resource "aws_vpc_security_group_ingress_rule" "door" {
  for_each = merge([
    for name, one in local.doors : {
      for number, rule in one.SecurityGroupIngress : "${name}-${number}" => merge(rule, { group = name })
    }
  ]...)

  security_group_id            = aws_security_group.door[each.value.group].id
  cidr_ipv4                    = try(each.value.CidrIp, null)
  referenced_security_group_id = can(each.value.SourceSecurityGroupId) ? aws_security_group.door["Anybody"].id : null
  ip_protocol                  = each.value.IpProtocol
  from_port                    = each.value.FromPort
  to_port                      = each.value.ToPort
  description                  = each.value.Description
}

locals {
  attributes = { for one in local.source.Balancer.LoadBalancerAttributes : one.Key => one.Value }
}

resource "aws_lb" "balancer" {
  count = local.given.IsWhole ? 1 : 0

  name                       = var.name
  load_balancer_type         = "application"
  internal                   = local.source.Balancer.Scheme != "internet-facing"
  subnets                    = var.public
  security_groups            = [aws_security_group.door["Anybody"].id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = local.attributes["routing.http.desync_mitigation_mode"]
  idle_timeout               = local.attributes["idle_timeout.timeout_seconds"]
  enable_deletion_protection = var.protected
}

resource "aws_lb_listener" "plain" {
  count = local.given.IsWhole ? 1 : 0

  load_balancer_arn = aws_lb.balancer[0].arn
  port              = local.source.Plain.Port
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "listener" {
  count = local.given.IsWhole ? 1 : 0

  load_balancer_arn = aws_lb.balancer[0].arn
  port              = local.source.Listener.Port
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.targets[0].arn
  }
}

resource "aws_lb_target_group" "targets" {
  count = local.given.IsWhole ? 1 : 0

  name                 = var.name
  vpc_id               = var.vpc
  target_type          = local.source.Targets.TargetType
  port                 = local.source.Targets.Port
  protocol             = local.source.Targets.Protocol
  deregistration_delay = one(local.source.Targets.TargetGroupAttributes).Value

  health_check {
    path                = local.source.Targets.HealthCheckPath
    interval            = local.source.Targets.HealthCheckIntervalSeconds
    timeout             = local.source.Targets.HealthCheckTimeoutSeconds
    healthy_threshold   = local.source.Targets.HealthyThresholdCount
    unhealthy_threshold = local.source.Targets.UnhealthyThresholdCount
  }
}

# -- the services ----------------------------------------------------------------------------------

resource "aws_ecs_service" "service" {
  for_each = { for name, one in local.services : name => one if name != "Workers" }

  name                               = each.value.ServiceName
  cluster                            = aws_ecs_cluster.cluster.id
  task_definition                    = aws_ecs_task_definition.task[{ Api = "ApiTask", Ingest = "IngestTask" }[each.key]].arn
  desired_count                      = { Api = var.servers, Ingest = 1 }[each.key]
  launch_type                        = each.value.LaunchType
  platform_version                   = each.value.PlatformVersion
  health_check_grace_period_seconds  = try(each.value.HealthCheckGracePeriodSeconds, null)
  deployment_minimum_healthy_percent = each.value.DeploymentConfiguration.MinimumHealthyPercent
  deployment_maximum_percent         = each.value.DeploymentConfiguration.MaximumPercent

  deployment_circuit_breaker {
    enable   = each.value.DeploymentConfiguration.DeploymentCircuitBreaker.Enable
    rollback = each.value.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback
  }

  network_configuration {
    assign_public_ip = false
    subnets          = var.private
    security_groups = (
      each.key == "Api" ? [aws_security_group.door["Asked"].id] : compact([var.nobody, var.kafka_security_group])
    )
  }

  dynamic "load_balancer" {
    for_each = try(each.value.LoadBalancers, [])

    content {
      container_name   = load_balancer.value.ContainerName
      container_port   = load_balancer.value.ContainerPort
      target_group_arn = aws_lb_target_group.targets[0].arn
    }
  }

  depends_on = [aws_lb_listener.listener, aws_iam_role_policy.own, aws_iam_role_policy_attachment.shared]
}

# how many there are autoscaling says: no change of anything else sets it back
resource "aws_ecs_service" "workers" {
  name                               = local.services.Workers.ServiceName
  cluster                            = aws_ecs_cluster.cluster.id
  task_definition                    = aws_ecs_task_definition.task["WorkerTask"].arn
  desired_count                      = var.least_workers
  launch_type                        = local.services.Workers.LaunchType
  platform_version                   = local.services.Workers.PlatformVersion
  deployment_minimum_healthy_percent = local.services.Workers.DeploymentConfiguration.MinimumHealthyPercent
  deployment_maximum_percent         = local.services.Workers.DeploymentConfiguration.MaximumPercent

  deployment_circuit_breaker {
    enable   = local.services.Workers.DeploymentConfiguration.DeploymentCircuitBreaker.Enable
    rollback = local.services.Workers.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback
  }

  network_configuration {
    assign_public_ip = false
    subnets          = var.private
    security_groups  = compact([var.nobody, var.kafka_security_group])
  }

  lifecycle {
    ignore_changes = [desired_count]
  }

  depends_on = [aws_iam_role_policy.own, aws_iam_role_policy_attachment.shared]
}
