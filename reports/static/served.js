// The run's own export, where the page comes from `python cli.py serve`: TF Serving's REST API at the same address.
window.vaeServed = (function () {
  "use strict";

  const base64 = async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    // Pieces, as a call takes only so many arguments.
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  };

  // The model's answers; null where there is no server, or it does not serve this model.
  async function find(model) {
    if (!location.protocol.startsWith("http")) return null;
    const address = `/v1/models/${encodeURIComponent(model)}`;
    let signatures;
    try {
      const answer = await fetch(`${address}/metadata`);
      if (!answer.ok) return null;
      signatures = (await answer.json()).metadata.signature_def.signature_def;
    } catch (error) {
      return null;
    }

    async function predict(name, inputs) {
      const body = JSON.stringify({ signature_name: name, inputs });
      const answer = await fetch(`${address}:predict`, { method: "POST", body });
      const document = await answer.json();
      if (!answer.ok) throw new Error(document.error);
      return document.outputs;
    }

    const decode = async (latent) => Float32Array.from((await predict("decode", { latents: [Array.from(latent)] })).flat(Infinity));

    // A file as the model sees it (levels from 0 to 255), its latents, and how odd it is.
    async function take(file) {
      const image_bytes = [{ b64: await base64(file) }];
      const size = signatures.score_bytes.inputs.noise;
      // Neither the error nor the score of oddness depends on it.
      const noise = size && { noise: [[new Array(Number(size.tensor_shape.dim[2].size)).fill(0)]] };
      const [seen, codes, scores] = await Promise.all([
        predict("preprocess_bytes", { image_bytes }),
        predict("encode_bytes", { image_bytes }),
        predict("score_bytes", { image_bytes, ...noise }),
      ]);
      const white = signatures.preprocess_bytes.outputs.pictures.dtype === "DT_UINT16" ? 257 : 1;
      const score = scores.reconstruction_error ? scores : { reconstruction_error: scores };
      return {
        levels: Float32Array.from(seen.flat(Infinity), (v) => v / white),
        mean: Float32Array.from(codes.mean[0]),
        error: score.reconstruction_error[0],
        isOdd: score.is_anomaly && score.is_anomaly[0],
        pValue: score.p_value && score.p_value[0],
      };
    }

    return { decode, take: signatures.encode_bytes ? take : null };
  }

  return { find };
})();
