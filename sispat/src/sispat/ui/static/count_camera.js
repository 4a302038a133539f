// Reads the code of a label: by the browser's own BarcodeDetector in what the camera sees, else by the service from a photo.

const EVERY = 250; // ms between two looks

export const detects = () => "BarcodeDetector" in window && Boolean(navigator.mediaDevices?.getUserMedia);

export async function scan(video, found) {
  const detector = new BarcodeDetector({ formats: ["qr_code", "code_128", "code_39"] });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.hidden = true;
    video.srcObject = null;
  };
  const look = async () => {
    if (video.hidden) return;
    const [code] = await detector.detect(video).catch(() => []);
    if (code?.rawValue) {
      stop();
      navigator.vibrate?.(80);
      return found(code.rawValue);
    }
    setTimeout(look, EVERY);
  };
  look();
  return stop;
}

export async function decode(photo, address, token) {
  const body = new FormData();
  body.set("arquivo", photo, "etiqueta.jpg");
  const answer = await fetch(address, { method: "POST", body, headers: { "X-CSRF-Token": token } });
  return answer.ok ? (await answer.json()).codigo : "";
}
