# modules/scaling: numbers of tasks, deployments that roll back.

mock_provider "aws" {}

variables {
  namespace = "huntaze"
}

run "scales_only" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = { "huntaze-cluster/web" = { min = 2, max = 10 } }
  }

  assert {
    condition     = aws_appautoscaling_target.this["huntaze-cluster/web"].min_capacity == 2 && aws_appautoscaling_target.this["huntaze-cluster/web"].max_capacity == 10 && length(aws_ecs_service.this) == 0
    error_message = "the service itself is left alone"
  }

  assert {
    condition = { for key, policy in aws_appautoscaling_policy.this : policy.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type => policy.target_tracking_scaling_policy_configuration[0].target_value } == {
      ECSServiceAverageCPUUtilization    = 70
      ECSServiceAverageMemoryUtilization = 80
    }
    error_message = "70 % processor, 80 % memory"
  }
}

run "managed_services_roll_back" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = {
      "ai-team/worker" = {
        min = 1
        max = 4
        managed = {
          task_definition    = "worker:1"
          subnet_ids         = ["subnet-0123456789abcdef0"]
          security_group_ids = ["sg-0123456789abcdef0"]
          target_group_arn   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/worker/0123456789abcdef"
          container_name     = "worker"
          container_port     = 8080
        }
      }
    }
  }

  assert {
    condition     = aws_ecs_service.this["ai-team/worker"].deployment_circuit_breaker[0].enable && aws_ecs_service.this["ai-team/worker"].deployment_circuit_breaker[0].rollback
    error_message = "a deployment that fails takes itself back"
  }

  assert {
    condition     = one(aws_ecs_service.this["ai-team/worker"].load_balancer).container_port == 8080 && !aws_ecs_service.this["ai-team/worker"].network_configuration[0].assign_public_ip
    error_message = "behind its load balancer, without a public address"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    namespace        = "Huntaze"
    tags             = { "aws:team" = "search" }
    services         = { web = { min = 1, max = 2 } }
    cooldown_seconds = { out = -1 }
  }

  expect_failures = [var.namespace, var.tags, var.services, var.cooldown_seconds]
}

run "refuses_min_above_max" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = { "a/web" = { min = 3, max = 2 } }
  }

  expect_failures = [var.services]
}

run "refuses_a_bad_percentage" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = { "a/web" = { min = 1, max = 2, cpu_percent = 5 } }
  }

  expect_failures = [var.services]
}

run "refuses_no_subnets" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = { "a/web" = { min = 1, max = 2, managed = { task_definition = "web:1", subnet_ids = [], security_group_ids = ["sg-0123456789abcdef0"] } } }
  }

  expect_failures = [var.services]
}

run "refuses_a_load_balancer_without_port" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    services = { "a/web" = { min = 1, max = 2, managed = { task_definition = "web:1", subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"], target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef" } } }
  }

  expect_failures = [var.services]
}
