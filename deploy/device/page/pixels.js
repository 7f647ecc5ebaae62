// A picture in the corner of the square that the graphs take, smaller if it is larger than that
export function pixelsOf(source, sidePx) {
  const [width, height] = [source.width, source.height];
  const scale = Math.min(1, sidePx / Math.max(width, height));
  const size = [height, width].map((side) => Math.max(1, Math.round(side * scale)));
  const square = new OffscreenCanvas(sidePx, sidePx);
  const context = square.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // under transparency
  context.fillRect(0, 0, sidePx, sidePx);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, size[1], size[0]);
  return { pixels: new Uint8Array(context.getImageData(0, 0, sidePx, sidePx).data.buffer), size };
}
