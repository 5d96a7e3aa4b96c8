/* Runs one signature of a SavedModel by TensorFlow's C API alone, with one named input and one output.

     run_saved_model FOLDER INPUT[:INDEX] floats FILE ROWS HEIGHT WIDTH CHANNELS OUTPUT[:INDEX]
     run_saved_model FOLDER INPUT[:INDEX] string FILE                            OUTPUT[:INDEX]

   FILE holds float32 in the machine's order, or the bytes of one string. INPUT and OUTPUT are the graph's operations.
   Prints the numbers of a float32 output, one to a line. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status *status, const char *what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static char *contents(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *data = malloc(*size);
  if (fread(data, 1, *size, file) != *size) exit(1);
  fclose(file);
  return data;
}

static TF_Output output_called(TF_Graph *graph, const char *name) {
  char operation[256];
  snprintf(operation, sizeof operation, "%s", name);
  char *colon = strchr(operation, ':');
  int index = 0;
  if (colon) {
    *colon = 0;
    index = atoi(colon + 1);
  }
  TF_Output found = {TF_GraphOperationByName(graph, operation), index};
  if (!found.oper) {
    fprintf(stderr, "no operation %s\n", operation);
    exit(1);
  }
  return found;
}

int main(int argc, char **argv) {
  int is_string = argc == 6 && strcmp(argv[3], "string") == 0;
  if (!is_string && argc != 10) return 2;
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "loading");

  size_t size;
  char *data = contents(argv[4], &size);
  TF_Tensor *given;
  if (is_string) {
    int64_t shape[] = {1};
    given = TF_AllocateTensor(TF_STRING, shape, 1, sizeof(TF_TString));
    TF_TString *string = TF_TensorData(given);
    TF_StringInit(string);
    TF_StringCopy(string, data, size);
  } else {
    int64_t shape[4];
    for (int i = 0; i < 4; i++) shape[i] = atoll(argv[5 + i]);
    given = TF_AllocateTensor(TF_FLOAT, shape, 4, size);
    if (TF_TensorByteSize(given) != size) return 2;
    memcpy(TF_TensorData(given), data, size);
  }

  TF_Output input = output_called(graph, argv[2]), wanted = output_called(graph, argv[argc - 1]);
  TF_Tensor *answer = NULL;
  TF_SessionRun(session, NULL, &input, &given, 1, &wanted, &answer, 1, NULL, 0, NULL, status);
  check(status, "running");
  if (TF_TensorType(answer) != TF_FLOAT) return 3;
  const float *values = TF_TensorData(answer);
  for (size_t i = 0; i < TF_TensorByteSize(answer) / sizeof(float); i++) printf("%.9g\n", values[i]);

  TF_DeleteTensor(answer);
  TF_DeleteTensor(given);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteGraph(graph);
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  free(data);
  return 0;
}
