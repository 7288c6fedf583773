variable "destination" {
  description = "Name of the destination."
  type        = string
}

variable "name" {
  description = "Name of the connection and of the API destination. It contains the stage."
  type        = string
}

variable "url" {
  description = "URL that events are sent to, by POST."
  type        = string
}

variable "rate_per_second" {
  description = "Maximum number of requests per second (1 to 300)."
  type        = number
}

variable "api_key" {
  description = "Name of the header that has the API key, or null."
  type        = object({ header = string })
}

variable "basic" {
  description = "User name of basic authentication, or null."
  type        = object({ username = string })
}

variable "oauth" {
  description = "URL of the OAuth token endpoint, client ID, and additional parameters of the request for a token, or null."
  type        = object({ token_url = string, client_id = string, parameters = map(string) })
}
