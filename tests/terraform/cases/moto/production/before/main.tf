# What the account of production has already: a network, ECS services, a bucket. The outputs become variables of the example.

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = "us-east-1${count.index == 0 ? "a" : "b"}"
}

resource "aws_route_table" "this" {
  count = 2

  vpc_id = aws_vpc.this.id
}

resource "aws_security_group" "tasks" {
  name   = "tasks"
  vpc_id = aws_vpc.this.id
}

resource "aws_s3_bucket" "exports" {
  bucket = "huntaze-exports"
}

# The clusters are the example's own, so that their services are too.
locals {
  scaled = {
    "ai-team/worker"        = { min = 1, max = 6 }
    "huntaze-cluster/web"   = { min = 2, max = 10 }
    "huntaze-of-fargate/of" = { min = 1, max = 4 }
  }
}

resource "aws_ecs_task_definition" "worker" {
  family                   = "worker"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "worker", image = "worker:1", essential = true }])
}

output "vpc_id" {
  value = aws_vpc.this.id
}

output "private_subnet_ids" {
  value = aws_subnet.this[*].id
}

output "private_route_table_ids" {
  value = aws_route_table.this[*].id
}

output "services" {
  value = {
    for name, service in local.scaled : name => {
      min = service.min
      max = service.max
      managed = {
        task_definition    = aws_ecs_task_definition.worker.arn
        subnet_ids         = aws_subnet.this[*].id
        security_group_ids = [aws_security_group.tasks.id]
      }
    }
  }
}
