/** The few drawings of the client, in the colour and beside the size of the text around them. */
interface IconProps {
  size?: number
}

function icon(path: string) {
  return function Icon({ size = 16 }: IconProps) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        style={{ flex: 'none' }}
      >
        <path d={path} />
      </svg>
    )
  }
}

export const ChevronDown = icon('m6 9 6 6 6-6')
export const ChevronLeft = icon('m15 6-6 6 6 6')
export const ChevronRight = icon('m9 6 6 6-6 6')
export const ChevronUp = icon('m6 15 6-6 6 6')
export const Check = icon('m5 12 5 5L20 7')
export const Cross = icon('m6 6 12 12M18 6 6 18')
export const Copy = icon('M9 9h10v11H9zM5 15V4h10')
export const Dots = icon('M5 12h.01M12 12h.01M19 12h.01')
export const Download = icon('M12 4v11m-5-5 5 5 5-5M5 20h14')
export const External = icon('M11 6H6v12h12v-5m-5 0 7-7m-5 0h5v5')
export const Folder = icon('M3 6h6l2 2h10v11H3z')
export const Key = icon('M15 4a5 5 0 1 1-4.6 7L4 17.500V20h3v-2h2v-2h2l2.2-2.200M16 8h.01')
export const Moon = icon('M20 14A8 8 0 1 1 10 4a6.5 6.5 0 0 0 10 10z')
export const Lock = icon('M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3')
export const Pause = icon('M8 6v12M16 6v12')
export const Pin = icon('M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6')
export const Play = icon('M7 5v14l12-7z')
export const Picture = icon('M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M9 9h.01')
export const Plus = icon('M12 5v14M5 12h14')
export const Save = icon('M5 5h11l3 3v11H5zM8 5v5h7V5M8 19v-6h8v6')
export const Search = icon('M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM20 20l-4.700-4.700')
export const Shield = icon('M12 3.500 19 6v6c0 4-3 7-7 8.500C8 19 5 16 5 12V6z')
export const SignOut = icon('M14 8V5H5v14h9v-3M9 12h12m-3-3 3 3-3 3')
export const Stop = icon('M7 7h10v10H7z')
export const Sun = icon(
  'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.400m11.2 11.200L19 19M5 19l1.4-1.400M17.6 6.4 19 5',
)
export const Swap = icon('M4 8h14m-4-4 4 4-4 4M20 16H6m4-4-4 4 4 4')
export const Warning = icon('M12 4 2.5 20h19zM12 10v4m0 3h.01')
export const Person = icon('M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM5 20c0-3.3 3-5 7-5s7 1.7 7 5')
export const Resume = icon('M4 12a8 8 0 1 0 2.5-5.800L4 8.500M4 4v4.500h4.5')

export function Logo({ size = 22 }: IconProps) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" style={{ flex: 'none' }}>
      <rect width="32" height="32" rx="8" fill="#4c5fd5" />
      <path
        d="M7 23c3.5 0 4-13 8-13s3.5 8 6 8 2.5-3 4-3"
        fill="none"
        stroke="#fff"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <circle cx="25" cy="15" r="2.4" fill="#fff" />
    </svg>
  )
}
