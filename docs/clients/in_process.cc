/* Scores images by a released model inside this C++ process: no server, no Python code.

   It needs the headers and libraries of TensorFlow, best of the version that the model was released
   with. Those of the wheel that casegate has installed will do:

    TF=$(python -c 'from importlib.util import find_spec as f; print(f("tensorflow").origin[:-12])')
    c++ -std=c++17 -O1 in_process.cc -o in_process -I $TF/include -Wl,-rpath,$TF \
      -Wl,--no-as-needed $TF/libtensorflow_cc.so.2 $TF/libtensorflow_framework.so.2
    ./in_process workspace/serving/pneumonia/1795576218 a.png b.jpg

   Prints for each image: probability, label, file. */

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

using tensorflow::Tensor;

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "in_process MODEL IMAGE...\n");
    return 2;
  }
  const int images = count - 2;
  Tensor asked(tensorflow::DT_STRING, {images});  // rank 1: another one ends the process
  for (int i = 0; i < images; ++i) {
    std::ifstream file(arguments[i + 2], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be read\n", arguments[i + 2]);
      return 2;
    }
    asked.vec<tensorflow::tstring>()(i) =
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }

  tensorflow::SavedModelBundle model;
  auto status = tensorflow::LoadSavedModel({}, {}, arguments[1], {"serve"}, &model);
  std::vector<Tensor> said;
  if (status.ok()) {
    const auto& signature = model.GetSignatures().at("serving_default");
    status = model.session->Run({{signature.inputs().at("image").name(), asked}},
                                {signature.outputs().at("probability").name(),
                                 signature.outputs().at("label").name()},
                                {}, &said);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  for (int i = 0; i < images; ++i) {
    std::printf("%.9g %lld %s\n", said[0].vec<float>()(i),
                static_cast<long long>(said[1].vec<int64_t>()(i)), arguments[i + 2]);
  }
}
