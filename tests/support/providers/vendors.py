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


def converse(request: Request) -> Reply:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    asked = request.json
    if "toolConfig" in asked:
        tool = asked["toolConfig"]["tools"][0]["toolSpec"]
        found = sample(tool["inputSchema"]["json"], SAID)
        use = {"toolUseId": "tooluse_1", "name": tool["name"], "input": found}
        return Reply(conversed([{"toolUse": use}], "tool_use"))
    if "outputConfig" in asked:
        held = asked["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
        found = sample(msgspec.json.decode(held), SAID)
        return Reply(conversed([{"text": msgspec.json.encode(found).decode()}]))
    return Reply(conversed([{"text": SAID}]), headers={"x-amzn-requestid": "req-1"})


def conversed(content: list[dict[str, Any]], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {"inputTokens": 30, "outputTokens": 8, "totalTokens": 38},
        "metrics": {"latencyMs": 1275},
    }


def aws_error(status: int, code: str, message: str, **headers: str) -> Reply:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html"""
    body = {"message": message, "__type": code}  # where the two protocols have it
    return Reply(body, status, {"x-amzn-errortype": code, **headers})


def detect_labels(request: Request) -> Reply:
    """https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectLabels.html"""
    box = {"Width": 0.4, "Height": 0.5, "Left": 0.1, "Top": 0.2}
    labels = [
        {
            "Name": "Mobile Phone",
            "Confidence": 99.9364013671875,
            "Instances": [{"BoundingBox": box, "Confidence": 99.9364013671875}],
            "Parents": [{"Name": "Phone"}],
            "Aliases": [{"Name": "Cell Phone"}],
            "Categories": [{"Name": "Technology and Computing"}],
        },
        {"Name": "Urban", "Confidence": 80.0, "Instances": [], "Parents": [],
         "Aliases": [], "Categories": [{"Name": "Colors and Visual Composition"}]},
    ]  # fmt: skip
    found = {"Labels": labels, "LabelModelVersion": "3.0"}
    return Reply(found, headers={"Content-Type": "application/x-amz-json-1.1"})


def image_to_text(request: Request) -> Reply:
    """https://huggingface.co/docs/inference-providers/tasks/image-text-to-text and

    https://github.com/aws/sagemaker-huggingface-inference-toolkit (the container's answers)
    """
    return Reply([{"generated_text": SAID}])
