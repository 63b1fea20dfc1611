"""Scores images by a server of TensorFlow Serving's gRPC protocol.

    python predict_grpc.py 127.0.0.1:8500 pneumonia a.png b.jpg

It needs grpcio and tensorflow-serving-api, which casegate's environment has. Prints for each image:
probability, label, file.
"""

import sys
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

server, model, *images = sys.argv[1:]
request = predict_pb2.PredictRequest()
request.model_spec.name = model
request.model_spec.signature_name = "serving_default"
contents = [Path(image).read_bytes() for image in images]
request.inputs["image"].CopyFrom(tf.make_tensor_proto(contents))  # shape (n,)
with grpc.insecure_channel(server) as channel:
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = service.Predict(request, timeout=30)
probability = tf.make_ndarray(answer.outputs["probability"])
label = tf.make_ndarray(answer.outputs["label"])
for image, score, call in zip(images, probability, label, strict=True):
    print(score, call, image)
