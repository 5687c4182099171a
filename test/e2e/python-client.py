# A client as another team would write it: generated from the proto by grpcio-tools, no code of ours.
import json
import sys

import grpc
from agentpool.v1 import agentpool_pb2 as pb
from agentpool.v1 import agentpool_pb2_grpc as rpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = rpc.AgentPoolServiceStub(channel)

    def task(**fields):
        return pb.ExecuteRequest(tenant="acme", project="python", **fields)

    echo = task(agent="echo")
    echo.json.struct_value.update({"a": [1, "zwei", None, True], "b": {"c": 2.5}})
    answer = stub.Execute(echo, timeout=20)
    slow = task(agent="slow", json_utf8=b'{"chunks": 3, "everyMs": 1}')
    events = list(stub.ExecuteStream(slow, timeout=20))

    def requests():
        for number in range(10):
            yield pb.ConnectRequest(execute=task(agent="counter", request_id=f"c-{number}", json_utf8=b"null"))

    results = [event for event in stub.Connect(requests(), timeout=20) if event.WhichOneof("event") == "result"]
    try:
        stub.Execute(pb.ExecuteRequest(tenant="acme", project="..", text="x"), timeout=20)
        refused = None
    except grpc.RpcError as error:
        refused = error.code().name
    agents = [agent.name for agent in stub.ListAgents(pb.ListAgentsRequest(), timeout=20).agents]

print(json.dumps({
    "tier": pb.Tier.Name(answer.tier),
    "output": json.loads(json.dumps(dict(answer.json.struct_value.items()), default=lambda v: list(v) if hasattr(v, "append") else dict(v))),
    "events": [event.WhichOneof("event") for event in events],
    "sequences": [event.sequence for event in events],
    "counts": sorted(json.loads(result.result.json_utf8)["count"] for result in results),
    "refused": refused,
    "agents": agents,
}))
