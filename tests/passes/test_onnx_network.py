"""An ONNX file as the passes see a network: weights in and out, outputs, what layers are given."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from compress.errors import CompressError, DataError, FormatError
from compress.passes import onnx_network
from compress.passes.network import Codes, named_errors
from compress.passes.onnx_network import OnnxNetwork
from tests.passes.onnx_graphs import held, model, node, value

RNG = np.random.default_rng(0)
X = RNG.normal(0.3, 1, (70, 3, 8, 8)).astype(np.float32)


def weight(network, name="w"):
    return next(one for one in network.weights()[0] if one.name == name)


def plain(**attributes):
    return model([node("Conv", ["x", "w"], ["y"], **attributes)], [held("w", 4, 3, 3, 3)])


class TestWeights:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            (TensorProto.FLOAT, [1.0, -2.0, 0.1, 3.0]),
            (TensorProto.DOUBLE, [1.0, -2.0, 0.1, 3.0]),
            (TensorProto.FLOAT16, [1.0, -2.0, 0.0999755859375, 3.0]),
            (TensorProto.BFLOAT16, [1.0, -2.0, 0.10009765625, 3.0]),
        ],
    )
    def test_numbers_keep_the_type_of_the_model(self, kind, values):
        tensor = helper.make_tensor("w", kind, [2, 2], [1.0, -2.0, 0.1, 3.0])
        network = OnnxNetwork(model([node("MatMul", ["w", "x"], ["y"])], [tensor]))
        own = weight(network)
        np.testing.assert_array_equal(own.values(), np.float32(values))
        own.set_values(own.values())
        assert network.model.data() == OnnxNetwork(network_proto(network)).model.data()
        own.set_values(own.values() * 2)
        (tensor,) = network_proto(network).graph.initializer
        assert tensor.data_type == kind
        doubled = numpy_helper.to_array(tensor).ravel().astype(np.float32)
        np.testing.assert_array_equal(doubled, 2 * np.float32(values))

    def test_matrices_are_turned_to_out_and_in(self):
        tensor = held("w", 8, 5)
        network = OnnxNetwork(model([node("MatMul", ["x", "w"], ["y"])], [tensor]))
        stored, own = numpy_helper.to_array(tensor), weight(network)
        np.testing.assert_array_equal(own.values().reshape(own.shape), stored.T)
        own.set_values(3 * own.values())
        (tensor,) = network_proto(network).graph.initializer
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), 3 * stored)
        keep = np.arange(40) % 3 > 0
        own.set_mask(keep)
        np.testing.assert_array_equal(own.values() == 0, ~keep)
        np.testing.assert_array_equal(own.mask, keep)

    def test_a_mask_keeps_all_bits_of_what_stays(self):
        tensor = numpy_helper.from_array(np.array([[0.1, 1e-60], [1e300, 2.0]]), "w")
        network = OnnxNetwork(model([node("MatMul", ["w", "x"], ["y"])], [tensor]))
        weight(network).set_mask(np.array([True, True, True, False]))
        (tensor,) = network_proto(network).graph.initializer
        assert numpy_helper.to_array(tensor).tolist() == [[0.1, 1e-60], [1e300, 0]]

    def test_codes_are_shared_values(self):
        network = OnnxNetwork(model([node("MatMul", ["w", "x"], ["y"])], [held("w", 2, 3)]))
        own = weight(network)
        assert not own.is_shared
        own.set_codes(Codes(np.array([0, 1, -1, -1, 1, 0], np.int16), np.float32([-0.5, 2])))
        assert own.is_shared
        assert own.values().tolist() == [-0.5, 2, 0, 0, 2, -0.5]
        own.set_values(own.values())
        assert (own.is_shared, own.mask) == (False, None)

    def test_errors_have_the_weights_name(self):
        network = OnnxNetwork(plain())
        with pytest.raises(DataError, match="w: no"), named_errors(weight(network)):
            raise DataError("no")


def network_proto(network):
    return ModelProto.FromString(network.model.data())


class TestOutputs:
    def test_of_all_samples_in_batches(self):
        network = OnnxNetwork(plain())
        (found,) = network.outputs((X,))
        (alone,) = network.outputs((X[40:41],))
        assert found.shape == (70, 4, 6, 6)
        np.testing.assert_allclose(found[40:41], alone, rtol=1e-5, atol=1e-6)
        weight(network).set_values(np.zeros(108, np.float32))
        assert not network.outputs((X,))[0].any()

    @pytest.mark.parametrize("batch", [1, 3, 100])
    def test_of_a_fixed_batch(self, batch):
        proto = plain()
        (expected,) = OnnxNetwork(proto).outputs((X,))
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        (found,) = OnnxNetwork(proto).outputs((X,))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_of_several_inputs_that_have_no_batch_in_front(self):
        """A state whose batch is the second axis, and a number: samples go in one at a time."""
        nodes = [
            node("ReduceSum", ["state", "one"], ["s"], keepdims=0),
            node("MatMul", ["s", "w"], ["m"]),
            node("Mul", ["m", "rate"], ["p"]),
            node("Add", ["p", "x"], ["y"]),
        ]
        proto = model(
            nodes,
            [held("w", 4, 5), numpy_helper.from_array(np.int64([0]), "one")],
            [value("x", "n", 5), value("state", 2, "n", 4), value("rate")],
        )
        network = OnnxNetwork(proto)
        x, state, rate = (RNG.random(s).astype(np.float32) for s in ((6, 5), (6, 2, 1, 4), (6,)))
        (found,) = network.outputs((x, state, rate))
        w = numpy_helper.to_array(proto.graph.initializer[0])
        expected = (state.sum(1)[:, 0] @ w * rate[:, None] + x)[:, None]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        sums = network.moments(network.weights()[0], (x, state, rate))["w"]
        assert sums.places == 6
        levels = network.levels((x, state, rate))
        assert network.correct((x, state, rate), levels) == 0

    def test_outputs_that_are_no_floats_are_left_out(self):
        nodes = [
            node("Conv", ["x", "w"], ["y"]),
            node("Shape", ["x"], ["shape"]),
            node("ReduceSum", ["y"], ["sum"], keepdims=0),
            node("Transpose", ["y"], ["turned"], perm=[1, 2, 3, 0]),
        ]
        names = ("shape", "sum", "y", "turned")
        outputs = [helper.make_empty_tensor_value_info(name) for name in names]
        proto = model(nodes, [held("w", 4, 3, 3, 3)], outputs=outputs)
        found = OnnxNetwork(proto).outputs((X[:20],))
        assert [one.shape for one in found] == [(2,), (20, 4, 6, 6), (20 * 4 * 6 * 6,)]

    @pytest.mark.parametrize(
        ("samples", "said"),
        [
            ((), "an array for each of 1 inputs, got 0"),
            ((X, X), "an array for each of 1 inputs, got 2"),
            ((X[:0],), "must be rows"),
            ((X[0, 0],), "must have 4 axes, got 2"),
            ((X[:, :2],), "refuses its input"),
        ],
    )
    def test_samples_that_do_not_fit(self, samples, said):
        with pytest.raises(DataError, match=said):
            OnnxNetwork(plain()).outputs(samples)


class TestWriting:
    def test_the_file_is_the_same_but_for_the_weights(self, tmp_path):
        path = tmp_path / "net.onnx"
        path.write_bytes(plain().SerializeToString())
        network = OnnxNetwork(path)
        weight(network).set_values(np.full(108, 7, np.float32))
        (out,) = network.model.write(tmp_path / "out.onnx")
        old = numpy_helper.to_array(plain_weight(path)).tobytes()
        new = np.full(108, 7, np.float32).tobytes()
        assert path.read_bytes().replace(old, new) == out.read_bytes()

    def test_data_beside_the_model_run_and_are_written(self, tmp_path, monkeypatch):
        from onnx import save_model

        path = tmp_path / "net.onnx"
        save_model(plain(), path, save_as_external_data=True, location="data", size_threshold=0)
        network = OnnxNetwork(path)
        (before,) = network.outputs((X,))
        weight(network).set_values(weight(network).values() * 2)
        (after,) = network.outputs((X,))
        np.testing.assert_allclose(after, 2 * before, rtol=1e-4, atol=1e-5)
        written = network.model.write(tmp_path / "out" / "net.onnx")
        np.testing.assert_array_equal(OnnxNetwork(written[0]).outputs((X,))[0], after)


def plain_weight(path):
    return ModelProto.FromString(path.read_bytes()).graph.initializer[0]


class TestState:
    def network(self):
        nodes = [node("Conv", ["x", "w", "b"], ["y"])]
        tensors = [
            numpy_helper.from_array(np.full((4, 3, 3, 3), 0.25, np.float32), "w"),
            numpy_helper.from_array(np.zeros(4, np.float32), "b"),
        ]
        return OnnxNetwork(model(nodes, tensors))

    def test_comes_back(self):
        changed, fresh = self.network(), self.network()
        assert changed.state() == {}
        weight(changed).set_mask(np.arange(108) % 2 > 0)
        changed.set_vectors({"b": np.float32([1, 2, 3, 4])})
        fresh.load_state(changed.state())
        assert fresh.model.data() == changed.model.data()
        np.testing.assert_array_equal(weight(fresh).mask, np.arange(108) % 2 > 0)
        weight(changed).set_codes(Codes(np.zeros(108, np.int8), np.float32([3])))
        fresh.load_state(changed.state())
        assert (weight(fresh).is_shared, weight(fresh).mask) == (True, None)
        fresh.load_state({})
        assert fresh.model.data() == self.network().model.data()
        assert not weight(fresh).is_shared

    @pytest.mark.parametrize(
        ("key", "array"),
        [
            ("w:items", np.zeros(107, np.float32)),
            ("w:items", np.zeros(108, np.float64)),
            ("w:keep", np.ones(4, np.bool_)),
            ("w:other", np.ones(1, np.bool_)),
            ("v:items", np.zeros(108, np.float32)),
            ("b:vector", np.zeros(5, np.float32)),
            ("", np.zeros(5, np.float32)),
        ],
    )
    def test_of_another_network_is_refused(self, key, array):
        network = self.network()
        weight(network).set_values(np.ones(108, np.float32))
        before = network.model.data()
        with pytest.raises(FormatError, match="is no part of this network"):
            network.load_state({key: array})
        assert network.model.data() == before


class TestOddGraphs:
    def test_without_nodes(self):
        network = OnnxNetwork(model([], [held("w", 4, 4)], outputs=[]))
        assert network.weights()[1][0].reason == "nothing reads it"
        with pytest.raises(CompressError):
            network.outputs((X,))
        assert network.moments((), (X,)) == {}
        assert network.correct((X,), network.levels((X,))) == 0

    def test_of_an_operator_that_nobody_knows(self):
        nodes = [node("Op", ["x"], ["h"], domain="their"), node("Conv", ["h", "w", "b"], ["y"])]
        initializers = [held("w", 4, 3, 3, 3), held("b", 4)]
        network = OnnxNetwork(model(nodes, initializers, opsets=[helper.make_opsetid("their", 1)]))
        with pytest.raises(FormatError, match="is no network for ONNX Runtime") as error:
            network.outputs((X,))
        assert "\n" not in str(error.value)
        assert network.moments(network.weights()[0], (X,)) == {}
        assert network.correct((X,), network.levels((X,))) == 0
        assert [note.partition(":")[0] for note in network.notes] == [
            "errors cannot be made to cancel",
            "biases are not moved",
        ]

    def test_with_numbers_that_are_none(self):
        tensor = numpy_helper.from_array(np.full((4, 3, 3, 3), np.nan, np.float32), "w")
        nodes = [node("Conv", ["x", "w", "b"], ["y"])]
        network = OnnxNetwork(model(nodes, [tensor, held("b", 4)]))
        assert np.isnan(network.outputs((X,))[0]).all()
        before = network.model.data()
        assert network.correct((X,), network.levels((X,))) == 0
        assert network.model.data() == before

    def test_room_for_few_samples_gives_the_same(self, monkeypatch):
        """Sums do not depend on how many samples are run at once."""
        network = OnnxNetwork(plain(strides=[2, 2]))
        weights, _ = network.weights()
        wide = network.moments(weights, (X,))["w"]
        monkeypatch.setattr(onnx_network, "_ROOM", 1)
        narrow = network.moments(weights, (X,))["w"]
        assert wide.places == narrow.places
        np.testing.assert_allclose(wide.blocks[0], narrow.blocks[0], rtol=1e-5, atol=1e-3)
