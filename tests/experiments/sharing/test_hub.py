"""Model cards, and the way to the hub: a small server stands in for it, over real HTTP."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import ModelCard

from experiments.sharing import model_card
from experiments.sharing.hub import push
from tests.browsing import PAYLOADS
from tests.experiments.small import environment
from toolkit import config
from toolkit.errors import UserError
from toolkit.records import EvaluationRecord, RunRecord


class StandIn(BaseHTTPRequestHandler):
    """The answers that a commit of small files needs; keeps what it was sent."""

    kept: dict[str, bytes]

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):  # noqa: N802 - the name that http.server calls
        """Make the repository, say that all files come inline, take the commit."""
        body = self._body()
        if self.headers.get("Authorization") != "Bearer hf_good":
            return self._answer({"error": "Invalid username or password."}, 401)
        if self.path == "/api/repos/create":
            self.kept["create"] = body
            return self._answer({"url": f"http://{self.headers['Host']}/me/cook"})
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [{**f, "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]
            return self._answer({"files": files})
        for line in map(json.loads, body.decode().splitlines()):
            if line["key"] == "file":
                self.kept[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return self._answer(
            {"commitUrl": f"http://{self.headers['Host']}/me/cook/commit/abc", "commitOid": "abc"}
        )

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def do_GET(self):  # noqa: N802
        """Nothing else is there."""
        self._answer({"error": "Repository not found"}, 404)

    def _answer(self, value, code=200):
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def hub():
    """The stand-in's address, and what it was sent."""
    handler = type("Handler", (StandIn,), {"kept": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.kept
    server.shutdown()
    server.server_close()


def bakeoff_push(root, run_id, endpoint, token, home):
    """`bakeoff push` in a process of its own: the hub's address is read when its client is imported."""
    names = {
        "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": token,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", "push", run_id, "me/cook", "--root", str(root)],
        env={**environment(), **names}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def lora(conclusions):
    """The cell of LoRA."""
    return next(cell for cell in conclusions.cells if cell.method == "lora-r16")


def test_a_card_has_the_numbers_of_its_record(done):
    """The card parses as the Hub parses it, and its results are those of the evaluation, in a table too."""
    root, conclusions, _ = done
    cell = lora(conclusions)
    folder = root / "runs" / cell.run_id
    record = EvaluationRecord.read(folder / f"eval-{cell.eval_digest}.json")
    card = ModelCard(model_card.card(record, folder / "artifact", "me/cook"))
    assert card.data.library_name == "peft"
    assert {"bakeoff", "lora-r16"} <= set(card.data.tags)
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    expected = {name: value.value for name, value in record.metrics.items() if value.value is not None}
    assert found == pytest.approx(expected)
    assert len(found) > 3
    counts = {result.metric_type: result.metric_args["n"] for result in card.data.eval_results}
    assert counts == {name: record.metrics[name].documents for name in expected}
    for name, value in expected.items():
        assert f"| {name} " in card.text
        assert f"{value:.4g}" in card.text
        assert record.metrics[name].signature in card.text
    assert str(root) not in str(card)


def test_a_card_shows_how_to_use_the_model(done):
    """GPT-2's tokenizer has no prefix of its own: the example begins with it, then the marker and a title."""
    root, conclusions, _ = done
    cell = lora(conclusions)
    folder = root / "runs" / cell.run_id
    record = EvaluationRecord.read(folder / f"eval-{cell.eval_digest}.json")
    text = model_card.card(record, folder / "artifact", "me/cook")
    code = text.partition("```python\n")[2].partition("```")[0]
    compile(code, "usage", "exec")
    assert 'AutoPeftModelForCausalLM.from_pretrained("me/cook")' in code
    assert 'prompt = "<|endoftext|>RECIPE: Banana Bread\\n"' in code
    assert "`INGREDIENTS:`" in text


def test_a_card_links_to_the_base_that_the_same_weights_were_published_as(done):
    """The embedded base comes from a pip package; the Hub knows it as HuggingFaceTB/SmolLM2-135M-Instruct."""
    root, conclusions, _ = done
    cell = lora(conclusions)
    folder = root / "runs" / cell.run_id
    record = EvaluationRecord.read(folder / f"eval-{cell.eval_digest}.json")
    spec = record.run.spec.model_copy(update={"model": config.model("smollm2-135m-embedded")})
    record = record.model_copy(update={"run": record.run.model_copy(update={"spec": spec})})
    card = ModelCard(model_card.card(record, folder / "artifact", "me/cook"))
    assert card.data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_card_of_hostile_records_holds_no_element_and_no_link(done):
    """Licences, the device, versions, units and signatures full of payloads: text, wherever they stand."""
    root, conclusions, _ = done
    cell = lora(conclusions)
    folder = root / "runs" / cell.run_id
    record = EvaluationRecord.read(folder / f"eval-{cell.eval_digest}.json")
    harmless = model_card.card(record, folder / "artifact", "me/cook")
    for payload in PAYLOADS:
        spec = record.run.spec
        spoiled = {"model": spec.model, "dataset": spec.dataset}
        spoiled = {key: one.model_copy(update={"license": payload}) for key, one in spoiled.items()}
        run = record.run.model_copy(
            update={
                "spec": spec.model_copy(update=spoiled),
                "environment": {"device": payload, "versions": {"torch": payload}},
            }
        )
        metrics = {
            name: value.model_copy(update={"unit": payload, "signature": payload})
            for name, value in record.metrics.items()
        }
        text = model_card.card(
            record.model_copy(update={"run": run, "metrics": metrics}), folder / "artifact", "me/cook"
        )
        card = ModelCard(text)
        assert card.data.license_name == payload
        assert card.text.count("\n#") == ModelCard(harmless).text.count("\n#")
        assert not set(card.text) & {"\x1b", "\x07", "\u202e", "\u2066", "\u2028"}
        prose = re.sub(r"```.*?```|(`+)(?!`).*?(?<!`)\1(?!`)", "", card.text, flags=re.DOTALL)
        plain = re.sub(r"\\[^\w\s]", "", prose)
        assert "<" not in plain
        assert "](" not in plain


def test_push_sends_the_artifact_and_its_card_in_one_commit(done, hub, tmp_path):
    """Every file of the artifact, byte for byte; the adapter names its base, not a path of this machine."""
    root, conclusions, _ = done
    endpoint, kept = hub
    run_id = lora(conclusions).run_id
    artifact = root / "runs" / run_id / "artifact"
    done_ = bakeoff_push(root, run_id, endpoint, "hf_good", tmp_path)
    assert done_.returncode == 0, done_.stderr
    assert "me/cook" in done_.stdout
    assert json.loads(kept.pop("create"))["name"] == "cook"
    assert set(kept) == {"README.md", *(path.name for path in artifact.iterdir())}
    assert 'from_pretrained("me/cook")' in kept.pop("README.md").decode()
    config = json.loads(kept.pop("adapter_config.json"))
    assert config["base_model_name_or_path"] == "tiny"
    assert str(root).encode() not in b"".join(kept.values())
    for name, content in kept.items():
        assert content == (artifact / name).read_bytes(), name


def test_what_keeps_a_push_back_is_one_line(done, hub, tmp_path):
    """A wrong token, no hub at all: exit 2, one line, and what to do."""
    root, conclusions, _ = done
    run_id = lora(conclusions).run_id
    for endpoint, says in ((hub[0], "hf auth login"), ("http://127.0.0.1:1", "can't be reached")):
        told = bakeoff_push(root, run_id, endpoint, "hf_wrong", tmp_path)
        assert told.returncode == 2, told.stdout + told.stderr
        assert says in told.stderr
        assert len(told.stderr.strip().splitlines()) == 1, told.stderr


def test_what_cannot_be_published_is_told(done, tmp_path):
    """An unknown run gets its nearest name; the untouched base and a run without weights are refused."""
    root, conclusions, _ = done
    run_id = lora(conclusions).run_id
    with pytest.raises(UserError, match=rf"unknown run '{run_id[:-1]}'\. Did you mean '{run_id}'"):
        push(run_id[:-1], "me/cook", root)
    with pytest.raises(UserError, match="is the untouched base"):
        push(next(c.run_id for c in conclusions.cells if c.method == "base"), "me/cook", root)
    folder = tmp_path / "runs" / run_id
    shutil.copytree(root / "runs" / run_id, folder, ignore=shutil.ignore_patterns("artifact"))
    with pytest.raises(UserError, match="has no weights here"):
        push(run_id, "me/cook", tmp_path)
    record = RunRecord.read(folder / "run.json")
    lost = record.model_copy(update={"status": "diverged", "diverged": "its loss rose"})
    lost.write(folder / "run.json", sealed=True)
    with pytest.raises(UserError, match=r"diverged \(its loss rose\), and nothing of it was kept"):
        push(run_id, "me/cook", tmp_path)
    unknown = record.spec.model_copy(update={"dataset": None})
    record.model_copy(update={"spec": unknown}).write(folder / "run.json", sealed=True)
    with pytest.raises(UserError, match="was trained elsewhere or converted"):
        push(run_id, "me/cook", tmp_path)
