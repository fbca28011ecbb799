# What the template says by DeletionPolicy, or always, and what stands in the way of an end that is meant.

variable "protected" {
  description = "Whether the pool refuses to be deleted, and the secret can be brought back for 30 days."
  type        = bool
  default     = true
}
