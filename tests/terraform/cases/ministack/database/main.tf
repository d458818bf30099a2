module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "000000000000"
  region      = "us-east-1"
}

resource "aws_sns_topic" "alerts" {
  name = "trial-cost-alerts"
}

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

resource "aws_db_subnet_group" "this" {
  name       = "trial"
  subnet_ids = aws_subnet.this[*].id
}

module "security" {
  source = "../../modules/security"

  namespace   = "trial"
  environment = "test"
  account_id  = "000000000000"
  region      = "us-east-1"
  kms_key_arn = module.key.arn
  topic_arn   = aws_sns_topic.alerts.arn

  database = {
    family = "postgres16"
    instance = {
      identifier          = "trial"
      engine_version      = "16.3"
      class               = "db.t4g.medium"
      storage_gb          = 20
      subnet_group        = aws_db_subnet_group.this.name
      security_group_ids  = [aws_security_group.endpoints.id]
      multi_az            = false
      deletion_protection = false
    }
  }
}
