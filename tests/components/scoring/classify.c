/* Reads a SavedModel as a C program does, through TensorFlow's C API: one line of answer an image.
 *
 *     classify SAVEDMODEL IMAGE...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void refuse_failed(const TF_Status* status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s\n", TF_Message(status));
  exit(1);
}

static TF_Tensor* image_tensor(const char* path) {
  const int64_t dims[] = {1};
  TF_Tensor* tensor = TF_AllocateTensor(TF_STRING, dims, 1, sizeof(TF_TString));
  char* content = malloc(1 << 24);
  FILE* file = fopen(path, "rb");
  if (!file || !content) exit(2);
  const size_t size = fread(content, 1, 1 << 24, file);
  TF_StringInit(TF_TensorData(tensor));
  TF_StringCopy(TF_TensorData(tensor), content, size);
  fclose(file);
  free(content);
  return tensor;
}

int main(int count, char** words) {
  const char* tags[] = {"serve"};
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_Session* session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, words[1], tags,
                                                     1, graph, NULL, status);
  refuse_failed(status);
  /* The names that `saved_model_cli show` prints for serving_default, handed over by the test. */
  TF_Output input = {TF_GraphOperationByName(graph, getenv("INPUT")), 0};
  TF_Operation* answer = TF_GraphOperationByName(graph, getenv("OUTPUT"));
  TF_Output outputs[] = {{answer, atoi(getenv("PROBABILITY"))}, {answer, atoi(getenv("LABEL"))}};
  if (!input.oper || !answer) return 3;
  for (int i = 2; i < count; ++i) {
    TF_Tensor* image = image_tensor(words[i]);
    TF_Tensor* said[] = {NULL, NULL};
    TF_SessionRun(session, NULL, &input, &image, 1, outputs, said, 2, NULL, 0, NULL, status);
    refuse_failed(status);
    printf("%.9g %lld\n", *(float*)TF_TensorData(said[0]),
           (long long)*(int64_t*)TF_TensorData(said[1]));
    TF_DeleteTensor(image);
  }
  return 0;
}
