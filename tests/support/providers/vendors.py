"""What vendors answer, in the forms that their documentation shows (the address is beside each).

The words are the test's own; names and places of fields are the vendors'.
"""

from typing import Any

import msgspec

from mediamill.adapters.providers.samples import sample
from tests.support.providers.server import Reply, Request

SAID = "A gradient from black to white."


def openai_chat(request: Request) -> Reply:
    """https://platform.openai.com/docs/api-reference/chat/object"""
    asked = request.json
    text, format_ = SAID, asked.get("response_format", {})
    if format_.get("type") == "json_schema":
        text = msgspec.json.encode(sample(format_["json_schema"]["schema"], SAID)).decode()
    return Reply(completion(text, asked["model"]), headers={"x-request-id": "req_1"})


def completion(text: str, model: str, finish: str = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": [], **more}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": f"{model}-2024-07-18",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "service_tier": "default",
    }


def openai_error(status: int, code: str, message: str) -> Reply:
    """https://platform.openai.com/docs/guides/error-codes"""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply({"error": error}, status)
