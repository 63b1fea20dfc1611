// Scores images by a released model inside this Java process: no server, no Python.
//
//   mvn -q -B -f pom.xml dependency:build-classpath -Dmdep.outputFile=classpath
//   java -cp "$(cat classpath)" InProcess.java workspace/serving/pneumonia/1795576218 a.png b.jpg
//
// Prints for each image: probability, label, file.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.ndarray.NdArrays;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;

public class InProcess {
  public static void main(String[] arguments) throws Exception {
    int count = arguments.length - 1;
    byte[][] images = new byte[count][];
    for (int i = 0; i < count; i++) {
      images[i] = Files.readAllBytes(Path.of(arguments[i + 1]));
    }
    // `image` has rank 1, whether there is one image or many. Check before you ask:
    // TensorFlow ends the whole process on an input of another rank.
    try (SavedModelBundle model = SavedModelBundle.load(arguments[0], "serve");
        TString asked = TString.tensorOfBytes(NdArrays.vectorOfObjects(images));
        Result said = model.function("serving_default").call(Map.of("image", asked))) {
      TFloat32 probability = (TFloat32) said.get("probability").orElseThrow();
      TInt64 label = (TInt64) said.get("label").orElseThrow();
      for (int i = 0; i < count; i++) {
        String file = arguments[i + 1];
        System.out.println(probability.getFloat(i) + " " + label.getLong(i) + " " + file);
      }
    }
  }
}
