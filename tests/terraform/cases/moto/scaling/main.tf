resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = "us-east-1${count.index == 0 ? "a" : "b"}"
}

resource "aws_security_group" "endpoints" {
  name   = "endpoints"
  vpc_id = aws_vpc.this.id
}

resource "aws_ecs_cluster" "this" {
  name = "ai-team"
}

resource "aws_ecs_task_definition" "worker" {
  family                   = "worker"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "worker", image = "worker:1", essential = true }])
}

module "scaling" {
  source = "../../modules/scaling"

  namespace = "trial"

  services = {
    "ai-team/worker" = {
      min = 1
      max = 4
      managed = {
        task_definition    = aws_ecs_task_definition.worker.arn
        subnet_ids         = aws_subnet.this[*].id
        security_group_ids = [aws_security_group.endpoints.id]
      }
    }
  }

  depends_on = [aws_ecs_cluster.this]
}
