"""Questions of the real clients of others: programs of their environments, which print one JSON object.

Each is given the port; the models are `lr` (three columns of numbers, two classes) and `shop/basket` (named columns).
"""

from __future__ import annotations

TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
client = http.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
rows = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
said = {"live": client.is_server_live(), "model": client.is_model_ready("lr"), "none": client.is_model_ready("none")}
said["ready"] = client.is_server_ready()
said["server"] = client.get_server_metadata()
said["metadata"] = client.get_model_metadata("lr")
said["index"] = client.get_model_repository_index()
given = lambda data, binary=True: http.InferInput("x", data.shape, np_type[data.dtype.char])
np_type = {"d": "FP64", "f": "FP32", "q": "INT64", "O": "BYTES"}
def ask(binary_in, binary_out, data=rows, **more):
    tensor = http.InferInput("x", list(data.shape), np_type[data.dtype.char])
    tensor.set_data_from_numpy(data, binary_data=binary_in)
    wanted = [http.InferRequestedOutput("predict_proba", binary_data=binary_out)]
    return client.infer("lr", [tensor], outputs=wanted, **more).as_numpy("predict_proba").tolist()
said["answers"] = [ask(a, b) for a in (True, False) for b in (True, False)]
said["gzip"] = ask(True, True, request_compression_algorithm="gzip", response_compression_algorithm="gzip")
said["gzip json"] = ask(False, False, request_compression_algorithm="gzip", response_compression_algorithm="gzip")
said["float32"] = ask(True, True, rows.astype("f4"))
tensor = http.InferInput("x", [2, 3], "FP64")
tensor.set_data_from_numpy(rows)
labels = client.infer("lr", [tensor], request_id="mine")
said["labels"] = [bytes(one).decode() for one in labels.as_numpy("predict")]
said["id"] = labels.get_response()["id"]
columns = []
for name, data in (("size", np.array([1.0, 2.0])), ("kind", np.array(["a", "b"], dtype=object))):
    column = http.InferInput(name, [2, 1], np_type[data.dtype.char])
    column.set_data_from_numpy(data.reshape(2, 1))
    columns.append(column)
said["columns"] = client.infer("shop/basket", columns).as_numpy("predict").tolist()
said["statistics"] = client.get_inference_statistics("lr")
try:
    ask(True, True, rows[:, :2].copy())
except http.InferenceServerException as error:
    said["error"] = error.message()
json.dump(said, sys.stdout)
"""

KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
async def main():
    base = f"http://127.0.0.1:{sys.argv[1]}"
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    said = {"live": await client.is_server_live(base), "ready": await client.is_server_ready(base)}
    said["model"] = await client.is_model_ready(base, "lr")
    said["none"] = await client.is_model_ready(base, "none")
    rows = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
    said["answers"] = []
    for binary in (False, True):
        tensor = InferInput("x", list(rows.shape), "FP64")
        tensor.set_data_from_numpy(rows, binary_data=binary)
        request = InferRequest(model_name="lr", infer_inputs=[tensor])
        answer = await client.infer(base, request, model_name="lr")
        said["answers"].append([str(one) for one in answer.outputs[0].as_numpy().tolist()])
    json.dump(said, sys.stdout)
asyncio.run(main())
"""

MLFLOW = """
import json, sys, types
sys.modules["scipy"] = types.ModuleType("scipy")  # mlflow asks whether there is scipy.sparse, and fails without a scipy
sys.modules["scipy"].__path__ = []
import numpy as np, pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
client = ScoringServerClient("127.0.0.1", int(sys.argv[1]))
client.wait_server_ready(timeout=20)
said = {"version": client.get_version()}
client.url_prefix += "/models/shop%2Fbasket"
frame = pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]})
said["frame"] = client.invoke(frame).get_predictions()[0].tolist()
try:
    client.invoke(frame.rename(columns={"size": "sise"}))
except Exception as error:
    said["error"] = str(error)
client.url_prefix = client.url_prefix.replace("shop%2Fbasket", "lr")
said["array"] = client.invoke(np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])).get_predictions()[0].tolist()
json.dump(said, sys.stdout)
"""

MLSERVER = """
import json, sys, urllib.request
import numpy as np, pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import InferenceResponse, RepositoryIndexResponse
base = f"http://127.0.0.1:{sys.argv[1]}/v2"
def ask(model, request):
    body = request.model_dump_json(exclude_none=True).encode()
    sent = urllib.request.Request(f"{base}/models/{model}/infer", body, {"Content-Type": "application/json"})
    return InferenceResponse.model_validate_json(urllib.request.urlopen(sent).read())
rows = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
said = {"labels": StringCodec.decode_output(ask("lr", NumpyRequestCodec.encode_request(rows)).outputs[0])}
request = NumpyRequestCodec.encode_request(rows)
request.outputs = [{"name": "predict_proba"}]
said["scores"] = NumpyCodec.decode_output(ask("lr", request).outputs[0]).tolist()
frame = pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]})
answer = ask("shop/basket", PandasCodec.encode_request(frame))
said["frame"] = NumpyCodec.decode_output(answer.outputs[0]).ravel().tolist()
index = urllib.request.urlopen(urllib.request.Request(f"{base}/repository/index", b"{}", method="POST")).read()
said["index"] = sorted(one.name for one in RepositoryIndexResponse.model_validate_json(index).root)
json.dump(said, sys.stdout)
"""

TF_SERVING = """
import json, sys, urllib.request
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2
def read(path):
    return urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/v1/models/{path}").read().decode()
status = json_format.Parse(read("lr"), get_model_status_pb2.GetModelStatusResponse())
State = get_model_status_pb2.ModelVersionStatus.State
said = {"states": [State.Name(one.state) for one in status.model_version_status]}
found = json.loads(read("lr/metadata"))
signatures = json_format.ParseDict(found["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap())
default = signatures.signature_def["serving_default"]
said["inputs"] = [[dim.size for dim in one.tensor_shape.dim] for one in default.inputs.values()]
said["signatures"] = sorted(signatures.signature_def)
json.dump(said, sys.stdout)
"""
