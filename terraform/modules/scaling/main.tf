# As many tasks as the load needs, and deployments that take themselves back.

locals {
  managed = { for key, service in var.services : key => service.managed if service.managed != null }

  policies = merge([
    for key, service in var.services : {
      "${key}/cpu"    = { service = key, metric = "ECSServiceAverageCPUUtilization", percent = service.cpu_percent }
      "${key}/memory" = { service = key, metric = "ECSServiceAverageMemoryUtilization", percent = service.memory_percent }
    }
  ]...)
}

resource "aws_ecs_service" "this" {
  for_each = local.managed

  name            = split("/", each.key)[1]
  cluster         = split("/", each.key)[0]
  task_definition = each.value.task_definition
  desired_count   = var.services[each.key].min
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"
  tags            = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = each.value.subnet_ids
    security_groups  = each.value.security_group_ids
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = each.value.target_group_arn == null ? [] : [each.value]
    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = load_balancer.value.container_name
      container_port   = load_balancer.value.container_port
    }
  }

  lifecycle {
    # Scaling decides the number, deployments the revision.
    ignore_changes = [desired_count, task_definition]
  }
}

resource "aws_appautoscaling_target" "this" {
  for_each = var.services

  service_namespace  = "ecs"
  resource_id        = "service/${each.key}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
  tags               = var.tags

  depends_on = [aws_ecs_service.this]
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.policies

  name               = "${var.namespace}-${replace(each.key, "/", "-")}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  resource_id        = aws_appautoscaling_target.this[each.value.service].resource_id
  scalable_dimension = aws_appautoscaling_target.this[each.value.service].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.percent
    scale_out_cooldown = var.cooldown_seconds.out
    scale_in_cooldown  = var.cooldown_seconds.in

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
