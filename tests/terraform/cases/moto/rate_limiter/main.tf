module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
  region      = "us-east-1"
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

resource "aws_security_group" "redis" {
  name   = "redis"
  vpc_id = aws_vpc.this.id
}

resource "aws_sqs_queue" "messages" {
  name                       = "trial-messages.fifo"
  fifo_queue                 = true
  visibility_timeout_seconds = 360
}

module "rate_limiter" {
  source = "../../modules/rate_limiter"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = module.key.arn
  zip_path    = "../../function.zip"
  queue_arn   = aws_sqs_queue.messages.arn
  vpc_id      = aws_vpc.this.id
  subnet_ids  = aws_subnet.this[*].id

  redis            = { endpoint = "redis.example.internal", security_group_id = aws_security_group.redis.id, secret_name = "trial/test/redis-auth" }
  secrets_endpoint = { security_group_id = aws_security_group.endpoints.id }
}
